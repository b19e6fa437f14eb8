"""Runs ``zeke-jobs top``: the live state of the system on one screen, with keys to control it."""
