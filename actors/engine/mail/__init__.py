"""Newsletters: a folder of a mailbox as a source."""
