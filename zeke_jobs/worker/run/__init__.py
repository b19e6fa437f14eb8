"""Running one job: its handler, the handler's view of it, interrupts and leases."""
