-- Create a cluster for stories that are locked and in no cluster. The cluster gets a new key, because another transaction that waits for these
-- stories may have locked a cluster with an earlier key.
INSERT INTO public.story_clusters (cluster_key, label, primary_story_id, created_at, updated_at)
VALUES ('event:' || gen_random_uuid(), %(label)s, %(story_id)s::uuid, zeke_jobs.now(), zeke_jobs.now())
RETURNING id
