-- Stories that may have this chili for some team, up to a number: by their own score, or shifted by interests.
SELECT o.story_id
FROM public.story_overlays AS o
WHERE o.citations -> 'chili' >= to_jsonb(%(min_chili)s::numeric) AND jsonb_typeof(o.citations -> 'chili') = 'number'
UNION
SELECT moved.story_id FROM public.team_scores AS moved WHERE moved.shift > 0
LIMIT %(most)s
