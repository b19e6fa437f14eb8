-- Lock stories and their clusters until the transaction ends.
SELECT h.id, h.cluster_id, h.title FROM public.story_clusters_hold(%(stories)s::uuid[]) AS h
