-- Put the given stories, and all stories of the given clusters, into one cluster.
UPDATE public.stories
SET cluster_id = %(cluster_id)s::uuid, updated_at = zeke_jobs.now()
WHERE (id = ANY (%(stories)s::uuid[]) OR cluster_id = ANY (%(merged)s::uuid[]))
  AND cluster_id IS DISTINCT FROM %(cluster_id)s::uuid
