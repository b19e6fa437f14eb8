"""Contains the code that all other folders use: environment, logs, durations, redaction, and the handler's ``Context``."""
