-- Claim due jobs of a queue, within all limits.
SELECT message_id, claim, task, message, attempt, attempt_base, deaths, revision, parent, scheduled_for, claimed_on
FROM zeke_jobs.claim(%(worker)s::uuid, %(queue)s, %(tasks)s::text[], %(want)s)
