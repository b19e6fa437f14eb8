"""Runs one job: its handler, the handler's context, interrupts and leases."""
