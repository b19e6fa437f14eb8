-- Record the slots that this worker keeps for jobs that it claimed ahead of their limits.
SELECT
  zeke_jobs.keep_slots(%(worker)s::uuid, %(kept_of)s::text[], %(kept)s::integer[], %(said)s::bigint),
  zeke_jobs.ring_for_freed(%(kept_of)s::text[])
