-- Fill in what a feed says of itself where nobody has named the source, and follow it to its new address.
UPDATE public.sources
SET
    name = COALESCE(NULLIF(name, ''), NULLIF(%(name)s, '')),
    url = COALESCE(%(url)s, url),
    updated_at = zeke_jobs.now()
WHERE id = %(source_id)s
    AND ((COALESCE(name, '') = '' AND %(name)s <> '') OR url IS DISTINCT FROM COALESCE(%(url)s, url))
