-- Record in the audit that a person sent jobs of a schedule.
SELECT zeke_jobs.note_sent(%(action)s, %(task)s, %(by)s, %(reason)s, %(jobs)s::uuid[])
