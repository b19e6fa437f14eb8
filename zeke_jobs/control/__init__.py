"""Contains an operator's actions: pausing tasks and queues, running schedules, importing jobs from pg-boss."""
