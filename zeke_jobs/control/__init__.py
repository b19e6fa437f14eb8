"""Has the actions of an operator: pauses, runs of schedules, and the import of jobs from pg-boss."""
