"""Has cron expressions and their fire times, as pure functions."""
