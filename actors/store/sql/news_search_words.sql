-- Whether a search has words to find: stop words and excluded words alone are not enough.
SELECT numnode(q.query) > 0 AND querytree(q.query) NOT IN ('T', '') AS has_words, EXISTS (SELECT FROM public.story_index) AS has_stories
FROM (SELECT public.story_query(%(words)s) AS query) AS q
