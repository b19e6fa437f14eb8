-- The messages of claimed jobs that are too long for the answer to their claim.
SELECT message_id, claim, message
FROM zeke_jobs.messages(%(worker)s::uuid, %(ids)s::uuid[])
