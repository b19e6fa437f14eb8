-- Store the result of a poll of a source, and the time of the next poll.
INSERT INTO public.source_polling AS p (
    source_id, etag, last_modified, next_check_at, checked_at, interval_seconds,
    failures, gone_count, moved_to, moved_count, moved_since, fetched_once, queued_at
)
VALUES (
    %(source_id)s, %(etag)s, %(last_modified)s, zeke_jobs.now() + %(wait)s::interval, zeke_jobs.now(), %(interval_seconds)s,
    %(failures)s, %(gone_count)s, %(moved_to)s, %(moved_count)s, %(moved_since)s, %(fetched_once)s, NULL
)
ON CONFLICT (source_id) DO UPDATE SET
    etag = EXCLUDED.etag,
    last_modified = EXCLUDED.last_modified,
    next_check_at = EXCLUDED.next_check_at,
    checked_at = EXCLUDED.checked_at,
    interval_seconds = EXCLUDED.interval_seconds,
    failures = EXCLUDED.failures,
    gone_count = EXCLUDED.gone_count,
    moved_to = EXCLUDED.moved_to,
    moved_count = EXCLUDED.moved_count,
    moved_since = EXCLUDED.moved_since,
    fetched_once = EXCLUDED.fetched_once,
    queued_at = NULL,
    updated_at = zeke_jobs.now()
