"""Contains the models and JSON Schemas of jobs' payloads, and the checks of a payload that is sent."""
