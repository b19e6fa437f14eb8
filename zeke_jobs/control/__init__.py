"""Actions of an operator: pauses, and schedules that are paused, resumed or run now."""
