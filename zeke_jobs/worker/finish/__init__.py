"""Decides how an attempt ended, and writes its outcome to the database, again if necessary."""
