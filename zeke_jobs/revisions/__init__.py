"""The jobs.yaml in force, the effects of a change, and applying it."""
