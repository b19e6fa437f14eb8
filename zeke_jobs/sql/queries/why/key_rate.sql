-- Return the rate of a job's key, if that rate lets no job of the key start now.
SELECT k.name, k.amount, k.period, k.next_at FROM zeke_jobs.key_rate AS k WHERE k.job = %(id)s::uuid
