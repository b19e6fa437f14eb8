-- Stories of one event and near duplicates, found by index and held by the clusters concerned, whatever the server's settings. These
-- statements are short, and planning them costs more than running them: a function in plpgsql keeps its plan, one in sql does not.

-- A sample of the word pairs of each story's title and lead, as hashes: stories of one event share many, others next to none.
CREATE TABLE public.story_terms (
    term bigint NOT NULL,
    happened_at timestamptz NOT NULL, -- the story's: a look-up reads the newest of a window, and stops
    story_id uuid NOT NULL -- of a story; a foreign key would be checked for each term, which takes as long as to store them
);
-- Stories with a term, by time.
CREATE INDEX story_terms_term_idx ON public.story_terms (term, happened_at) INCLUDE (story_id);
-- The terms of a story, to bring them up to date.
CREATE INDEX story_terms_story_id_idx ON public.story_terms (story_id);

-- A story's terms go with it. They are stored together with its embedding, whose foreign key holds the story meanwhile.
CREATE FUNCTION public.story_terms_drop()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
SET enable_seqscan = off SET jit = off
AS $$
BEGIN
    DELETE FROM public.story_terms AS t WHERE t.story_id = OLD.id;
    RETURN NULL;
END
$$;

CREATE TRIGGER story_terms_drop AFTER DELETE ON public.stories
FOR EACH ROW EXECUTE FUNCTION public.story_terms_drop();

-- The stories of a window that share at least so many terms with a story, those that share most first. Of a term that many
-- stories have, the newest are read: a look-up costs no more than terms × newest, however many stories there are. What it
-- says of a story stands in a subquery: for a join, the planner may read the whole table.
CREATE FUNCTION public.story_event_candidates(
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

-- The stories that share a band with a text, most bands first, with their texts. One look-up a band:
-- for an overlap of arrays the planner guesses one row in a hundred and reads the table.
CREATE FUNCTION public.story_near_duplicates(p_story uuid, p_bands bigint[], p_most integer)
RETURNS TABLE (story_id uuid, text_body text)
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
            SELECT g.story_id FROM public.story_bands AS g WHERE g.bands @> ARRAY[mine.band]
        ) AS found
        WHERE found.story_id <> p_story
        GROUP BY found.story_id
        ORDER BY shared DESC, found.story_id
        LIMIT p_most
    )
    SELECT
        near.story_id,
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

-- The cosine of two vectors, by pgvector where they are stored as vector.
CREATE FUNCTION public.embedding_cosine(a real[], b real[])
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT sum(x::float8 * y) / nullif(sqrt(sum(x::float8 * x) * sum(y::float8 * y)), 0)
    FROM (SELECT unnest(a) AS x, unnest(b) AS y) AS pair -- unnest(a, b) keeps its rows first: it takes twice as long
$$;

DO $$
DECLARE
    home text := (
        SELECT n.nspname
        FROM pg_extension AS e
        JOIN pg_namespace AS n ON n.oid = e.extnamespace
        WHERE e.extname = 'vector'
    );
BEGIN
    IF home IS NOT NULL THEN
        EXECUTE format(
            'CREATE FUNCTION public.embedding_cosine(a %1$I.vector, b real[])
            RETURNS double precision
            LANGUAGE sql IMMUTABLE PARALLEL SAFE
            AS ''SELECT 1 - (a OPERATOR(%1$I.<=>) b::%1$I.vector)''',
            home
        );
    END IF;
END
$$;

-- How near some stories are to a vector of a model.
CREATE FUNCTION public.story_cosines(p_stories uuid[], p_model text, p_vector real[])
RETURNS TABLE (story_id uuid, cosine double precision)
LANGUAGE sql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
    SELECT e.story_id, public.embedding_cosine(e.embedding, p_vector)
    FROM public.story_embeddings AS e
    WHERE e.story_id = ANY (p_stories) AND e.model_version = p_model
$$;

-- Hold stories and their clusters until the transaction ends: nobody else changes their clusters, or scores their events.
-- All take clusters before stories, each in the order of their ids, so that no two wait for each other. A story that
-- changed its cluster meanwhile would break the order: all is given back, and looked up again.
CREATE FUNCTION public.story_clusters_hold(p_stories uuid[])
RETURNS TABLE (id uuid, cluster_id uuid, title text)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
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
