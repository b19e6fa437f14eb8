-- The stories of a window that share most terms with a story, most first.
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
