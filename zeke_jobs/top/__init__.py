"""``zeke-jobs top``: all of it on one screen, live, with the hands on it."""
