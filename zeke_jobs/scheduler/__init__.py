"""The scheduler, driven by periodiq: finds due ticks and sends a job for each tick."""
