-- The number of sources that report a story's event.
SELECT public.story_event_sources(%(story_id)s::uuid) AS sources
