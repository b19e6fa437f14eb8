"""How an attempt ends, and writing that down until the database has it."""
