"""Has the code for all other folders: environment, logs, durations, redaction, and the handler's view of its job."""
