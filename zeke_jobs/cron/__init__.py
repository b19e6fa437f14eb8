"""Reads cron lines and computes their fire times, in pure functions."""
