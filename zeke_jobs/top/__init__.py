"""Runs ``zeke-jobs top``, which shows the live state of the system on one screen, and has keys to control it."""
