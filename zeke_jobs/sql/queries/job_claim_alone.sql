-- Claim one job that must run alone, since a worker died during it.
SELECT message_id, claim, task, message, attempt, attempt_base, deaths, revision, parent, scheduled_for, claimed_on, ahead, sensitive
FROM zeke_jobs.claim_alone(%(worker)s::uuid, %(queue)s, %(tasks)s::text[])
