-- A limited number of stories that may have at least a given chili score for some team: by their own score, or after a shift by interests.
SELECT o.story_id
FROM public.story_overlays AS o
WHERE o.citations -> 'chili' >= to_jsonb(%(min_chili)s::numeric) AND jsonb_typeof(o.citations -> 'chili') = 'number'
UNION
SELECT moved.story_id FROM public.team_scores AS moved WHERE moved.shift > 0
LIMIT %(most)s
