-- Set a source's name from its feed, unless a person gave the name, and the source's new address.
UPDATE public.sources
SET
    name = COALESCE(NULLIF(name, ''), NULLIF(%(name)s, '')),
    url = COALESCE(%(url)s, url),
    updated_at = zeke_jobs.now()
WHERE id = %(source_id)s
    AND ((COALESCE(name, '') = '' AND %(name)s <> '') OR url IS DISTINCT FROM COALESCE(%(url)s, url))
