"""Which jobs.yaml is in force, what a change of it would do, and putting it in force."""
