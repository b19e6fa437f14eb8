"""Reads newsletters from a mailbox's folder, which is a source like a feed."""
