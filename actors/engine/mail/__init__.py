"""Reads newsletters from a folder of a mailbox, as a source."""
