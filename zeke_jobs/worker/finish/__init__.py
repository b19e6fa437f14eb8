"""The end of an attempt, and writing it until the database has it."""
