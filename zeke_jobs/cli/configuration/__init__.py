"""Has commands about jobs.yaml: check the file, plan and apply a change, show past revisions, test a change on past jobs."""
