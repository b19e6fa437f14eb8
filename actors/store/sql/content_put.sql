-- Store an item's text with the data from its extraction, and the title that the pipeline gives the text's story.
WITH content AS (
    INSERT INTO public.contents AS c (
        raw_item_id, content_type, text_body, html_url, language_code, content_hash, duration_seconds, extracted_at
    )
    VALUES (
        %(raw_item_id)s, %(content_type)s, %(text)s, %(url)s, %(language)s, %(text_hash)s, round(%(duration)s::numeric)::integer, zeke_jobs.now()
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
)
INSERT INTO public.content_details AS d (
    content_id, markdown, canonical_url, final_url, author, text_origin, text_choice, description, written_title
)
SELECT
    content.id, %(markdown)s, %(canonical_url)s, %(url)s, %(author)s, %(origin)s, %(choice)s, %(description)s, %(written_title)s
FROM content
ON CONFLICT (content_id) DO UPDATE SET
    markdown = EXCLUDED.markdown,
    canonical_url = EXCLUDED.canonical_url,
    final_url = EXCLUDED.final_url,
    author = EXCLUDED.author,
    text_origin = EXCLUDED.text_origin,
    text_choice = EXCLUDED.text_choice,
    description = EXCLUDED.description,
    written_title = coalesce(EXCLUDED.written_title, d.written_title),
    revision = d.revision + 1,
    updated_at = zeke_jobs.now()
RETURNING d.content_id
