"""Contains the commands that check, plan and apply jobs.yaml, show its revisions, and test a change on past jobs."""
