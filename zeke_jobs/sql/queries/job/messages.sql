-- Return the messages that the claim left out because they were too long.
SELECT q.message_id, q.claim, q.message::text FROM zeke_jobs.queue AS q WHERE q.message_id = ANY (%(ids)s::uuid[]) AND q.worker = %(worker)s::uuid
