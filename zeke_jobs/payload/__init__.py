"""Has the models and JSON Schemas of payloads, and the checks of a send."""
