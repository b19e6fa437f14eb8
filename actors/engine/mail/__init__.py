"""Reads newsletters from a folder of a mailbox, which is a source like a feed."""
