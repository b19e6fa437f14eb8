-- Each story is read, compared and indexed some ten times by short statements, whose planning cost more than their run. A function in plpgsql
-- keeps its plan; one in sql, as these were, is planned at each call.

-- A story for the AI step and the insights; its age is as of now.
CREATE FUNCTION public.story_for_ai(p_story uuid)
RETURNS TABLE (
    id uuid,
    title text,
    summary text,
    kind text,
    published_at timestamptz,
    happened_at timestamptz,
    document text,
    description text,
    language text,
    text_hash text,
    duration_seconds integer,
    source text,
    authority double precision,
    age_days integer
)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT
        s.id::uuid,
        coalesce(s.title, '')::text,
        s.summary::text,
        s.kind::text,
        s.published_at::timestamptz,
        coalesce(s.published_at, s.created_at)::timestamptz,
        coalesce(nullif(d.markdown, ''), c.text_body, '')::text,
        coalesce(d.description, '')::text,
        c.language_code::text,
        c.content_hash::text,
        c.duration_seconds::integer,
        coalesce(src.name, src.url, '')::text,
        src.authority_score::float8,
        greatest(0, floor(extract(epoch FROM zeke_jobs.now() - coalesce(s.published_at, s.created_at)) / 86400))::int
    FROM public.stories AS s
    JOIN public.contents AS c ON c.id = s.content_id
    LEFT JOIN public.content_details AS d ON d.content_id = c.id
    LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
    WHERE s.id = p_story;
END
$$;

-- The number of sources that tell of a story's event: sources of its cluster's stories, and of items that were copies of them.
CREATE FUNCTION public.story_event_sources(p_story uuid)
RETURNS bigint
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    members uuid[] := ARRAY(
        SELECT m.id
        FROM public.stories AS s
        JOIN public.stories AS m ON m.cluster_id = s.cluster_id
        WHERE s.id = p_story
    );
BEGIN
    RETURN (
        SELECT count(DISTINCT told.source_id)
        FROM (
            SELECT s.primary_source_id AS source_id
            FROM public.stories AS s
            WHERE s.id = ANY (p_story || members)
            UNION ALL
            SELECT r.source_id
            FROM public.item_outcomes AS o
            JOIN public.raw_items AS r ON r.id = o.raw_item_id
            WHERE o.story_id = ANY (p_story || members)
        ) AS told
    );
END
$$;

-- End a call, once: where its cost is unknown, the most that it may have cost counts. A good answer is kept and replaces an older one. Returns
-- the cost; NULL: it had ended before.
CREATE FUNCTION public.ai_call_settle(
    p_id uuid,
    p_outcome text,
    p_detail text,
    p_model text,
    p_input_tokens integer,
    p_output_tokens integer,
    p_cost numeric,
    p_is_charged boolean,
    p_latency_ms integer,
    p_key text,
    p_answer jsonb
)
RETURNS numeric
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    cost numeric;
BEGIN
    UPDATE public.ai_calls AS a
    SET
        outcome = p_outcome,
        detail = p_detail,
        model_answered = p_model,
        input_tokens = p_input_tokens,
        output_tokens = p_output_tokens,
        cost_usd = CASE WHEN p_is_charged THEN coalesce(p_cost, a.reserved_usd) ELSE 0 END,
        latency_ms = p_latency_ms,
        settled_at = zeke_jobs.now()
    WHERE a.id = p_id AND a.settled_at IS NULL
    RETURNING a.cost_usd INTO cost;
    IF p_key IS NOT NULL THEN
        INSERT INTO public.ai_answers AS k (key, answer) VALUES (p_key, p_answer)
        ON CONFLICT (key) DO UPDATE SET answer = EXCLUDED.answer, created_at = zeke_jobs.now();
    END IF;
    RETURN cost;
END
$$;

-- As in 0008.
CREATE OR REPLACE FUNCTION public.story_event_candidates(
    p_story uuid,
    p_terms bigint[],
    p_since timestamptz,
    p_until timestamptz,
    p_least integer,
    p_newest integer,
    p_most integer
)
RETURNS TABLE (story_id uuid, cluster_id uuid)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH near AS MATERIALIZED (
        SELECT found.story_id, count(*) AS shared
        FROM unnest(p_terms) AS mine (term)
        CROSS JOIN LATERAL (
            SELECT t.story_id
            FROM public.story_terms AS t
            WHERE t.term = mine.term AND t.happened_at BETWEEN p_since AND p_until
            ORDER BY t.happened_at DESC
            LIMIT p_newest
        ) AS found
        WHERE found.story_id <> p_story
        GROUP BY found.story_id
        HAVING count(*) >= p_least
        ORDER BY shared DESC, found.story_id
        LIMIT p_most
    )
    SELECT near.story_id, (SELECT s.cluster_id FROM public.stories AS s WHERE s.id = near.story_id)
    FROM near
    ORDER BY near.shared DESC, near.story_id;
END
$$;

-- As in 0008.
CREATE OR REPLACE FUNCTION public.story_near_duplicates(p_story uuid, p_bands bigint[], p_most integer)
RETURNS TABLE (story_id uuid, signature bigint[], text_body text)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH near AS MATERIALIZED (
        SELECT found.story_id, count(*) AS shared
        FROM unnest(p_bands) AS mine (band)
        CROSS JOIN LATERAL (
            SELECT g.story_id FROM public.story_signatures AS g WHERE g.bands @> ARRAY[mine.band]
        ) AS found
        WHERE found.story_id <> p_story
        GROUP BY found.story_id
        ORDER BY shared DESC, found.story_id
        LIMIT p_most
    )
    SELECT
        near.story_id,
        (SELECT g.signature FROM public.story_signatures AS g WHERE g.story_id = near.story_id),
        (
            SELECT c.text_body::text
            FROM public.stories AS s
            JOIN public.contents AS c ON c.id = s.content_id
            WHERE s.id = near.story_id
        )
    FROM near
    ORDER BY near.shared DESC, near.story_id;
END
$$;

-- As in 0011; the language is looked up once.
CREATE OR REPLACE FUNCTION public.story_index_put(p_stories uuid[])
RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    INSERT INTO public.story_index AS i (story_id, source_id, happened_at, language, document)
    SELECT
        t.id, t.source_id, t.happened_at, t.language, public.story_document(t.language, t.title, t.text_body)
    FROM (
        SELECT
            s.id, s.primary_source_id AS source_id, coalesce(s.published_at, s.created_at) AS happened_at, s.title, c.text_body,
            public.story_language(c.language_code) AS language
        FROM public.stories AS s
        JOIN public.contents AS c ON c.id = s.content_id
        WHERE s.id = ANY (p_stories)
        OFFSET 0 -- keeps the language from being computed twice
    ) AS t
    ON CONFLICT (story_id) DO UPDATE SET
        source_id = EXCLUDED.source_id,
        happened_at = EXCLUDED.happened_at,
        language = EXCLUDED.language,
        document = EXCLUDED.document;
END
$$;

-- As in 0008, but for titles of any type.
CREATE OR REPLACE FUNCTION public.story_clusters_hold(p_stories uuid[])
RETURNS TABLE (id uuid, cluster_id uuid, title text)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    held uuid[];
BEGIN
    LOOP
        BEGIN
            held := ARRAY(
                SELECT c.id
                FROM public.story_clusters AS c
                WHERE c.id IN (SELECT s.cluster_id FROM public.stories AS s WHERE s.id = ANY (p_stories))
                ORDER BY c.id
                FOR NO KEY UPDATE
            );
            -- With them the stories of all clusters but the first, which a merger would move into it.
            PERFORM
            FROM public.stories AS s
            WHERE s.id = ANY (p_stories) OR s.cluster_id = ANY (held[2:])
            ORDER BY s.id
            FOR NO KEY UPDATE;
            IF NOT EXISTS (
                SELECT
                FROM public.stories AS s
                JOIN public.story_clusters AS c ON c.id = s.cluster_id
                WHERE s.id = ANY (p_stories) AND c.id <> ALL (held)
            ) THEN
                RETURN QUERY
                SELECT s.id, s.cluster_id, s.title::text FROM public.stories AS s WHERE s.id = ANY (p_stories) ORDER BY s.id;
                RETURN;
            END IF;
            RAISE SQLSTATE 'ZN001';
        EXCEPTION WHEN SQLSTATE 'ZN001' THEN
            NULL;
        END;
    END LOOP;
END
$$;
