"""Cron expressions and their calendar. Pure."""
