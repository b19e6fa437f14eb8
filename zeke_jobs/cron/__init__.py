"""Cron expressions and their fire times, in pure functions."""
