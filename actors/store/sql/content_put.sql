-- The text of an item.
INSERT INTO public.contents AS c (
    raw_item_id, content_type, text_body, html_url, language_code, content_hash, duration_seconds, extracted_at
)
VALUES (
    %(raw_item_id)s, %(content_type)s, %(text_body)s, %(html_url)s, %(language_code)s, %(content_hash)s,
    %(duration_seconds)s, zeke_jobs.now()
)
ON CONFLICT (raw_item_id) DO UPDATE SET
    content_type = EXCLUDED.content_type,
    text_body = EXCLUDED.text_body,
    html_url = EXCLUDED.html_url,
    language_code = EXCLUDED.language_code,
    content_hash = EXCLUDED.content_hash,
    duration_seconds = EXCLUDED.duration_seconds,
    extracted_at = EXCLUDED.extracted_at,
    updated_at = zeke_jobs.now()
RETURNING id
