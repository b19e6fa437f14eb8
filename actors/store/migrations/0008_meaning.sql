-- The signs of each story's embedding after a rotation: the fewer of them differ, the nearer are two vectors of a model. A look reads
-- these short rows, which say nothing else, and the vectors of the few nearest only.
CREATE TABLE public.story_signs (
    story_id uuid CONSTRAINT story_signs_pkey PRIMARY KEY
        CONSTRAINT story_signs_story_id_fkey REFERENCES public.stories (id) ON DELETE CASCADE,
    happened_at timestamptz NOT NULL, -- the story's: a look reads the newest
    signs bit(1024) NOT NULL,
    model_version text NOT NULL
);
ALTER TABLE public.story_signs ALTER COLUMN signs SET STORAGE PLAIN;
-- The newest stories.
CREATE INDEX story_signs_happened_at_idx ON public.story_signs (happened_at DESC);

-- The stories nearest to a vector: of all that fit, those with the fewest other signs, by their cosine. What is no nearer than the
-- hundredth of the newest 10,000 is not sorted. Each row tells whether some of those have an embedding of another model; one without a
-- story, where none is near.
CREATE FUNCTION public.story_alike(
    p_model text,
    p_vector real[],
    p_signs bit,
    p_words text, -- empty for any
    p_sources uuid[],
    p_since timestamptz,
    p_except uuid,
    p_most integer
)
RETURNS TABLE (story_id uuid, cosine double precision, is_mixed boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    scope text := ' FROM public.story_signs AS g WHERE true';
    among uuid[];
    bound integer;
    mixed boolean;
    nearest uuid[];
BEGIN
    IF p_words <> '' THEN
        among := ARRAY(SELECT f.story_id FROM public.story_search(p_words, p_sources, p_since, 2000, 2000) AS f);
    ELSIF p_sources IS NOT NULL THEN
        among := ARRAY(SELECT i.story_id FROM public.story_index AS i WHERE i.source_id = ANY (p_sources));
    END IF;
    scope := scope || CASE WHEN among IS NULL THEN '' ELSE ' AND g.story_id = ANY ($3)' END
        || CASE WHEN p_since IS NULL THEN '' ELSE ' AND g.happened_at >= $4' END;
    EXECUTE 'WITH newest AS (
            SELECT CASE WHEN g.model_version = $1 THEN bit_count(g.signs # $2) END AS differ' || scope || '
            ORDER BY g.happened_at DESC
            LIMIT 10000
        )
        SELECT (SELECT n.differ FROM newest AS n WHERE n.differ IS NOT NULL ORDER BY n.differ OFFSET greatest(100, $5) LIMIT 1),
            EXISTS (SELECT FROM newest AS n WHERE n.differ IS NULL)'
        INTO bound, mixed USING p_model, p_signs, among, p_since, p_most;
    IF among IS NULL THEN
        SET LOCAL enable_seqscan = on; -- all are read: short rows, one after the other
    END IF;
    EXECUTE 'SELECT ARRAY(
            SELECT g.story_id' || scope || ' AND CASE WHEN bit_count(g.signs # $2) <= $6
                THEN g.model_version = $1 AND g.story_id <> $7 END -- of few rows: without CASE, of all
            ORDER BY bit_count(g.signs # $2)
            LIMIT greatest(100, $5)
        )'
        INTO nearest USING p_model, p_signs, among, p_since, p_most, coalesce(bound, 1024), p_except;
    RETURN QUERY
    SELECT c.story_id, c.cosine, mixed
    FROM (VALUES (true)) AS one
    LEFT JOIN public.story_cosines(nearest, p_model, p_vector) AS c ON c.cosine > 0 AND c.cosine <= 2 -- not NaN
    ORDER BY c.cosine DESC NULLS LAST
    LIMIT p_most;
END
$$;
