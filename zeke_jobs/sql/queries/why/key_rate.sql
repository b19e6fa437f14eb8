-- Return the rate limit of a job's key, if no job of the key may start now under this limit.
SELECT k.name, k.amount, k.period, k.next_at FROM zeke_jobs.key_rate AS k WHERE k.job = %(id)s::uuid
