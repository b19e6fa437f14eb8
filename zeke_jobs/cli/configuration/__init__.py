"""Has commands about jobs.yaml: check it, plan and apply a change, show its history, test a change on past jobs."""
