-- Return how many jobs (at most "most" each) come before a job while its task's keys take turns: jobs of the same key, and jobs of other keys.
SELECT t.own, t.others FROM zeke_jobs.turns_before(%(id)s::uuid, %(most)s) AS t
