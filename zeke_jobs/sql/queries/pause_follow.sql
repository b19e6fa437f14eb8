-- Give pauses of tasks and schedules that were renamed their new names.
SELECT zeke_jobs.pauses_follow()
