-- Return the messages of claimed jobs that were too long for the answer of the claim.
SELECT q.message_id, q.claim, q.message::text FROM zeke_jobs.queue AS q WHERE q.message_id = ANY (%(ids)s::uuid[]) AND q.worker = %(worker)s::uuid
