-- How many due jobs are claimed before a given job while the keys of its task take turns, counted up to a number: jobs of its own key, and of other
-- keys.
SELECT t.own, t.others
FROM zeke_jobs.turns_before(%(id)s::uuid, %(most)s) AS t
