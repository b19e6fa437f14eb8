-- The stories of a period that share terms with a story. Stories that share the most terms come first.
SELECT c.story_id, c.cluster_id
FROM public.story_event_candidates(
  %(story_id)s::uuid,
  %(terms)s::bigint[],
  %(since)s::timestamptz,
  %(until)s::timestamptz,
  %(least)s,
  %(newest)s,
  %(most)s
) AS c
