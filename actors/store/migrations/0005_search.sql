-- One narrow row a story: a number for people, when it happened, and its words. Lists, search and digests go by it.

CREATE TABLE public.story_index (
    story_id uuid CONSTRAINT story_index_pkey PRIMARY KEY
        CONSTRAINT story_index_story_id_fkey REFERENCES public.stories (id) ON DELETE CASCADE,
    number bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT story_index_number_key UNIQUE,
    source_id uuid,
    happened_at timestamptz NOT NULL, -- published, or found where nobody says when
    language text NOT NULL,           -- of PostgreSQL's text search configurations
    document tsvector NOT NULL
) WITH (toast_tuple_target = 128, fillfactor = 90); -- the words stand apart, so that a scan reads none

-- The text search configuration for a language code; simple, which takes words as they are, where the server has none.
CREATE FUNCTION public.story_language(p_code text)
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    name text := CASE lower(split_part(p_code, '-', 1))
        WHEN 'ar' THEN 'arabic' WHEN 'ca' THEN 'catalan' WHEN 'da' THEN 'danish' WHEN 'de' THEN 'german' WHEN 'el' THEN 'greek'
        WHEN 'en' THEN 'english' WHEN 'es' THEN 'spanish' WHEN 'et' THEN 'estonian' WHEN 'eu' THEN 'basque' WHEN 'fi' THEN 'finnish'
        WHEN 'fr' THEN 'french' WHEN 'ga' THEN 'irish' WHEN 'hi' THEN 'hindi' WHEN 'hu' THEN 'hungarian' WHEN 'hy' THEN 'armenian'
        WHEN 'id' THEN 'indonesian' WHEN 'it' THEN 'italian' WHEN 'lt' THEN 'lithuanian' WHEN 'nb' THEN 'norwegian'
        WHEN 'ne' THEN 'nepali' WHEN 'nl' THEN 'dutch' WHEN 'nn' THEN 'norwegian' WHEN 'no' THEN 'norwegian' WHEN 'pt' THEN 'portuguese'
        WHEN 'ro' THEN 'romanian' WHEN 'ru' THEN 'russian' WHEN 'sr' THEN 'serbian' WHEN 'sv' THEN 'swedish' WHEN 'ta' THEN 'tamil'
        WHEN 'tr' THEN 'turkish' WHEN 'yi' THEN 'yiddish'
    END;
BEGIN
    PERFORM FROM pg_catalog.pg_ts_config AS c WHERE c.cfgname = name AND c.cfgnamespace = 'pg_catalog'::regnamespace;
    RETURN CASE WHEN FOUND THEN name ELSE 'simple' END;
END
$$;

-- A text with spaces around each sign of the scripts that write none between words: each sign is a word.
CREATE FUNCTION public.story_words(p_text text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN p_text ~ '[\u0E01-\u0EFF\u1000-\u109F\u1780-\u17FF\u3041-\u30FF\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF]'
        THEN regexp_replace(
            p_text,
            '([\u0E01-\u0EFF\u1000-\u109F\u1780-\u17FF\u3041-\u30FF\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF])', ' \1 ', 'g')
        ELSE p_text
    END
$$;

-- The words of a story: those of its title weigh more. What comes behind 100,000 characters is not searched.
CREATE FUNCTION public.story_document(p_language text, p_title text, p_text text)
RETURNS tsvector
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        setweight(to_tsvector(p_language::regconfig, public.story_words(left(coalesce(p_title, ''), 1000))), 'A')
        || setweight(to_tsvector(p_language::regconfig, public.story_words(left(coalesce(p_text, ''), 100000))), 'D')
$$;

-- Bring some stories' rows up to date.
CREATE FUNCTION public.story_index_put(p_stories uuid[])
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

INSERT INTO public.story_index (story_id, source_id, happened_at, language, document)
SELECT
    s.id, s.primary_source_id, coalesce(s.published_at, s.created_at), l.language,
    public.story_document(l.language, s.title, c.text_body)
FROM public.stories AS s
JOIN public.contents AS c ON c.id = s.content_id
CROSS JOIN LATERAL (SELECT public.story_language(c.language_code) AS language) AS l
ORDER BY s.created_at, s.id;

-- Newest stories first; those of a source; those with words; the languages in use; a digest's days.
CREATE INDEX story_index_happened_at_idx ON public.story_index (happened_at DESC, story_id) INCLUDE (source_id);
CREATE INDEX story_index_source_id_idx ON public.story_index (source_id, happened_at DESC);
CREATE INDEX story_index_document_idx ON public.story_index USING gin (document);
CREATE INDEX story_index_language_idx ON public.story_index (language);
-- Hot stories, wherever the number came from.
CREATE INDEX story_overlays_chili_idx ON public.story_overlays ((citations -> 'chili'));
-- What a team starred, read or archived.
CREATE INDEX team_story_states_state_idx ON public.team_story_states (team_id, state);
CREATE INDEX team_story_states_pinned_idx ON public.team_story_states (team_id) WHERE pinned;

-- By the owner's rights: whoever may write a story need not know of this table.
CREATE FUNCTION public.story_index_follow_story()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
BEGIN
    PERFORM public.story_index_put(ARRAY[NEW.id]);
    RETURN NULL;
END
$$;

CREATE FUNCTION public.story_index_follow_content()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public
AS $$
BEGIN
    PERFORM public.story_index_put(ARRAY(SELECT s.id FROM public.stories AS s WHERE s.content_id = NEW.id));
    RETURN NULL;
END
$$;

CREATE TRIGGER story_index_insert AFTER INSERT ON public.stories
FOR EACH ROW EXECUTE FUNCTION public.story_index_follow_story();

CREATE TRIGGER story_index_update AFTER UPDATE OF title, published_at, primary_source_id ON public.stories
FOR EACH ROW
WHEN (
    (OLD.title, OLD.published_at, OLD.primary_source_id)
    IS DISTINCT FROM (NEW.title, NEW.published_at, NEW.primary_source_id)
)
EXECUTE FUNCTION public.story_index_follow_story();

CREATE TRIGGER story_index_update AFTER UPDATE OF text_body, language_code ON public.contents
FOR EACH ROW
WHEN ((OLD.text_body, OLD.language_code) IS DISTINCT FROM (NEW.text_body, NEW.language_code))
EXECUTE FUNCTION public.story_index_follow_content();

-- The languages that stories are in, by one look at the index for each.
CREATE FUNCTION public.story_languages()
RETURNS SETOF text
LANGUAGE sql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
    WITH RECURSIVE found AS (
        (SELECT i.language FROM public.story_index AS i ORDER BY i.language LIMIT 1)
        UNION ALL
        SELECT (SELECT i.language FROM public.story_index AS i WHERE i.language > found.language ORDER BY i.language LIMIT 1)
        FROM found
        WHERE found.language IS NOT NULL
    )
    SELECT found.language FROM found WHERE found.language IS NOT NULL
$$;

-- What somebody looks for, read in each language that stories are in: one of the readings is to fit.
CREATE FUNCTION public.story_query(p_words text)
RETURNS tsquery
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    found tsquery;
    one record;
BEGIN
    FOR one IN
        SELECT DISTINCT websearch_to_tsquery(l.language::regconfig, public.story_words(p_words)) AS query
        FROM public.story_languages() AS l (language)
    LOOP
        IF numnode(one.query) > 0 THEN
            found := CASE WHEN found IS NULL THEN one.query ELSE found || one.query END;
        END IF;
    END LOOP;
    RETURN coalesce(found, ''::tsquery);
END
$$;

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
CREATE FUNCTION public.story_search(
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
