"""What an operator does by hand: pauses, and schedules that are paused, resumed or run now."""
