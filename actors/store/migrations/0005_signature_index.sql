-- Without a pending list: each look-up would read all of it, and there are forty look-ups a story.
ALTER INDEX public.story_signatures_bands_idx SET (fastupdate = off);
SELECT gin_clean_pending_list('public.story_signatures_bands_idx'::regclass);
