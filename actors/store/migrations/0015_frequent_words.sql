-- A search for frequent words looks at the newest stories first: a million matches need not be found to rank two thousand.

-- How many stories the planner expects to have these words; of how many. Volatile, as EXPLAIN asks of a function.
CREATE FUNCTION public.story_matches(p_query tsquery, OUT matches double precision, OUT of_all double precision)
LANGUAGE plpgsql
AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT FROM public.story_index WHERE document @@ %L::tsquery', p_query) INTO plan;
    matches := plan -> 0 -> 'Plan' ->> 'Plan Rows';
    EXECUTE 'EXPLAIN (FORMAT JSON) SELECT FROM public.story_index' INTO plan;
    of_all := plan -> 0 -> 'Plan' ->> 'Plan Rows';
END
$$;

-- When the last of the newest so many stories happened; null where there are no more than that.
CREATE FUNCTION public.story_newest(p_sources uuid[], p_since timestamptz, p_rows bigint)
RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET enable_bitmapscan = off
SET jit = off
AS $$
DECLARE
    since timestamptz;
BEGIN
    EXECUTE 'SELECT i.happened_at FROM public.story_index AS i WHERE true'
        || CASE WHEN p_sources IS NULL THEN '' ELSE ' AND i.source_id = ANY ($1)' END
        || CASE WHEN p_since IS NULL THEN '' ELSE ' AND i.happened_at >= $2' END
        || ' ORDER BY i.happened_at DESC OFFSET $3 LIMIT 1'
        INTO since USING p_sources, p_since, p_rows;
    RETURN since;
END
$$;

-- The newest stories that may fit, at most so many. Where many will, a window of the newest stories that holds enough of them is
-- searched, and a wider one where it does not: a small window is read through, a larger one searched by the index of words.
CREATE FUNCTION public.story_near(p_query tsquery, p_sources uuid[], p_since timestamptz, p_most integer)
RETURNS uuid[]
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_indexscan = off
SET jit = off
SET work_mem = '64MB'
AS $$
DECLARE
    expected record := public.story_matches(p_query);
    is_frequent boolean := expected.matches > 10 * p_most;
    held bigint := 1.5 * p_most * expected.of_all / greatest(expected.matches, 1);
    since timestamptz := p_since;
    found uuid[];
BEGIN
    LOOP
        IF is_frequent THEN
            since := coalesce(public.story_newest(p_sources, p_since, held), p_since);
        END IF;
        EXECUTE 'SELECT ARRAY(SELECT i.story_id FROM (SELECT i.story_id, i.happened_at, i.document FROM public.story_index AS i WHERE true'
            || CASE WHEN p_sources IS NULL THEN '' ELSE ' AND i.source_id = ANY ($2)' END
            || CASE WHEN since IS NULL THEN '' ELSE ' AND i.happened_at >= $3' END
            || CASE WHEN is_frequent AND held <= 5 * p_most THEN ' OFFSET 0' ELSE '' END
            || ') AS i WHERE i.document @@ $1 ORDER BY i.happened_at DESC LIMIT $4)'
            INTO found USING p_query, p_sources, since, p_most;
        EXIT WHEN cardinality(found) >= p_most OR since IS NOT DISTINCT FROM p_since;
        held := 4 * held;
    END LOOP;
    RETURN found;
END
$$;

-- The stories that fit, the best first. Those that may fit are found without a look at the order of words, so that phrases count
-- as words; the newest p_ranked of them are compared with the words in their own language and ranked.
CREATE OR REPLACE FUNCTION public.story_search(
    p_words text,
    p_sources uuid[],
    p_since timestamptz,
    p_ranked integer,
    p_most integer
)
RETURNS TABLE (story_id uuid, rank real, compared bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    wanted tsquery := public.story_query(p_words);
    loosely tsquery := CASE
        WHEN wanted::text LIKE '%!( %' THEN wanted -- without a phrase it would leave out more
        ELSE regexp_replace(wanted::text, '<(-|\d+)>', '&', 'g')::tsquery
    END;
    newest uuid[] := public.story_near(loosely, p_sources, p_since, p_ranked);
BEGIN
    RETURN QUERY
    WITH near AS MATERIALIZED (
        SELECT i.story_id, i.happened_at, i.language, i.document
        FROM public.story_index AS i
        WHERE i.story_id = ANY (newest)
    ),
    spoken AS MATERIALIZED (
        SELECT l.language, websearch_to_tsquery(l.language::regconfig, public.story_words(p_words)) AS query
        FROM public.story_languages() AS l (language)
    ),
    fit AS (
        SELECT near.story_id, near.happened_at, ts_rank(near.document, spoken.query, 1) AS rank
        FROM near
        JOIN spoken ON spoken.language = near.language
        WHERE near.document @@ spoken.query
    )
    SELECT fit.story_id, fit.rank, cardinality(newest)::bigint
    FROM fit
    ORDER BY fit.rank DESC, fit.happened_at DESC
    LIMIT p_most;
END
$$;
