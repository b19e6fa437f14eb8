-- Mark the pipeline's highlights whose text is no longer in the story. The rows are kept, because other tables may refer to them.
UPDATE public.highlights
SET metadata = metadata || '{"withdrawn": true}', updated_at = zeke_jobs.now()
WHERE id = ANY (%(ids)s::uuid[]) AND is_generated
