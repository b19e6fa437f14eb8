"""Commands about jobs.yaml: check it, plan and apply a change, look back, try it on the past."""
