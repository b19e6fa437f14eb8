-- A cluster named after its first story; two workers that make it at once make one.
INSERT INTO public.story_clusters (cluster_key, label, primary_story_id, created_at, updated_at)
VALUES (%(cluster_key)s, %(label)s, %(story_id)s::uuid, zeke_jobs.now(), zeke_jobs.now())
ON CONFLICT (cluster_key) DO UPDATE SET cluster_key = EXCLUDED.cluster_key
RETURNING id
