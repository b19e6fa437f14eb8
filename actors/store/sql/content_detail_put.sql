-- The facts from extraction beside the text.
INSERT INTO public.content_details AS d (
    content_id, markdown, canonical_url, final_url, author, text_origin, text_choice, description
)
VALUES (
    %(content_id)s, %(markdown)s, %(canonical_url)s, %(final_url)s, %(author)s, %(text_origin)s, %(text_choice)s, %(description)s
)
ON CONFLICT (content_id) DO UPDATE SET
    markdown = EXCLUDED.markdown,
    canonical_url = EXCLUDED.canonical_url,
    final_url = EXCLUDED.final_url,
    author = EXCLUDED.author,
    text_origin = EXCLUDED.text_origin,
    text_choice = EXCLUDED.text_choice,
    description = EXCLUDED.description,
    revision = d.revision + 1,
    updated_at = zeke_jobs.now()
