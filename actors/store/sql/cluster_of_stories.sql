-- Two stories and their clusters, locked in one order so that two workers never wait for each other.
SELECT s.id, s.cluster_id, s.title
FROM public.stories AS s
WHERE s.id = ANY (%(stories)s::uuid[])
ORDER BY s.id
FOR NO KEY UPDATE
