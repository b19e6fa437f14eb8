"""What a change of jobs.yaml would have done: recorded jobs, run again by the rules that the workers follow."""
