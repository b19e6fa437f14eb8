-- Whether there is anything to look for: words that are no more than articles and the like, or only words to leave out, are not.
SELECT numnode(q.query) > 0 AND querytree(q.query) NOT IN ('T', '') AS has_words, EXISTS (SELECT FROM public.story_index) AS has_stories
FROM (SELECT public.story_query(%(words)s) AS query) AS q
