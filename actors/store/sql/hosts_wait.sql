-- Let no source of a resting host be due before the end of the rest.
UPDATE public.source_polling AS p
SET next_check_at = GREATEST(p.next_check_at, zeke_jobs.now() + %(wait)s::interval), updated_at = zeke_jobs.now()
FROM public.sources AS s
WHERE s.id = p.source_id
    AND s.id <> %(source_id)s
    AND lower(split_part(split_part(s.url, '://', 2), '/', 1)) = %(host)s
