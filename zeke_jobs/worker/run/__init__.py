"""Runs one job: it calls the handler with a context, interrupts the handler, and manages leases."""
