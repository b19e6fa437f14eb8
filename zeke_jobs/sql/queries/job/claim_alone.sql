-- Claim jobs that must run apart from all others, because a worker died during each of them.
SELECT message_id, claim, task, message, attempt, attempt_base, deaths, revision, parent, sensitive, scheduled_for::text, claimed_on, ahead
FROM zeke_jobs.claim_alone(%(worker)s::uuid, %(queue)s, %(tasks)s::text[], %(want)s::integer)
