-- Record in the audit that a person made a schedule send jobs.
SELECT zeke_jobs.note_sent(%(action)s, %(task)s, %(by)s, %(reason)s, %(jobs)s::uuid[])
