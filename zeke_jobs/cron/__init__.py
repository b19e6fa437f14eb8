"""Cron expressions and the calendar they are read in. Pure."""
