"""Actions of an operator: pauses, runs of schedules, and the take-over of jobs from pg-boss."""
