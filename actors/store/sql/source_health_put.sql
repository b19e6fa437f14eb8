-- Record the result of the last poll.
INSERT INTO public.source_health AS h (source_id, status, message, last_success_at, last_error_at)
VALUES (
    %(source_id)s, %(status)s, %(message)s,
    CASE WHEN %(status)s = 'ok' THEN zeke_jobs.now() END,
    CASE WHEN %(status)s <> 'ok' THEN zeke_jobs.now() END
)
ON CONFLICT (source_id) DO UPDATE SET
    status = EXCLUDED.status,
    message = EXCLUDED.message,
    last_success_at = COALESCE(EXCLUDED.last_success_at, h.last_success_at),
    last_error_at = COALESCE(EXCLUDED.last_error_at, h.last_error_at),
    updated_at = zeke_jobs.now()
