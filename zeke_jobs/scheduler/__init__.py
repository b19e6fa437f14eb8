"""The scheduler, driven by periodiq: finds due ticks and sends one job for each."""
