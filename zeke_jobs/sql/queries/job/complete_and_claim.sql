-- Complete ended jobs and claim due ones in one round trip: returns a header, then the jobs.
SELECT lost, held_back, lacks_thread, looks_on::text, began_on, on_clock,
  message_id, claim, task, message, attempt, attempt_base, deaths, revision, parent, sensitive, scheduled_for::text, claimed_on, ahead
FROM zeke_jobs.complete_and_claim(
  %(worker)s::uuid, %(ids)s::uuid[], %(claims)s::bigint[], %(after)s::double precision[], %(results)s::text[],
  %(queue)s, %(tasks)s::text[], %(want)s::integer, %(free)s::integer, %(threads)s::integer, %(short)s::text[], %(ask)s,
  %(took)s::double precision[], %(more)s::integer[], %(per_slot)s::integer[], %(most)s::integer[],
  %(kept_of)s::text[], %(kept)s::integer[], %(said)s::bigint)
