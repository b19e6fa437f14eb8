"""What every other folder may use: environment, logs, durations, redaction, and the handler's view of its job."""
