-- The title that the pipeline gave a story last: another one is a person's, and stays.
ALTER TABLE public.content_details ADD COLUMN written_title text;
UPDATE public.content_details AS d
SET written_title = s.title
FROM public.stories AS s
WHERE s.content_id = d.content_id;
