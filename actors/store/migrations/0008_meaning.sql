-- The signs of each story's embedding after a rotation: the fewer of them differ, the nearer are two vectors of a model. A look reads
-- these short rows, and the vectors of the few nearest only.
CREATE TABLE public.story_signs (
    story_id uuid CONSTRAINT story_signs_pkey PRIMARY KEY
        CONSTRAINT story_signs_story_id_fkey REFERENCES public.stories (id) ON DELETE CASCADE,
    happened_at timestamptz NOT NULL, -- the story's: a look reads the newest
    model_version text NOT NULL,
    signs bit(1024) NOT NULL
);
ALTER TABLE public.story_signs ALTER COLUMN signs SET STORAGE PLAIN;
-- The newest stories.
CREATE INDEX story_signs_happened_at_idx ON public.story_signs (happened_at DESC);

-- The stories nearest to a vector: of the newest p_newest that fit, those with the fewest other signs, by their cosine. Each row tells
-- how many stories were compared, and how many have an embedding of another model; a row without a story, where none is near.
CREATE FUNCTION public.story_alike(
    p_model text,
    p_vector real[],
    p_signs bit,
    p_words text, -- empty for any
    p_sources uuid[],
    p_since timestamptz,
    p_except uuid,
    p_newest integer,
    p_most integer
)
RETURNS TABLE (story_id uuid, cosine double precision, compared bigint, others bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET work_mem = '64MB'
AS $$
DECLARE
    among uuid[];
BEGIN
    IF p_words <> '' THEN
        among := ARRAY(SELECT f.story_id FROM public.story_search(p_words, p_sources, p_since, 2000, 2000) AS f);
    ELSIF p_sources IS NOT NULL THEN
        among := ARRAY(
            SELECT i.story_id FROM public.story_index AS i WHERE i.source_id = ANY (p_sources) ORDER BY i.happened_at DESC LIMIT p_newest);
    END IF;
    RETURN QUERY EXECUTE
        'WITH near AS MATERIALIZED (
            SELECT g.story_id, CASE WHEN g.model_version = $1 THEN bit_count(g.signs # $3) END AS differ
            FROM public.story_signs AS g
            WHERE true'
            || CASE WHEN among IS NULL THEN '' ELSE ' AND g.story_id = ANY ($4)' END
            || CASE WHEN p_since IS NULL THEN '' ELSE ' AND g.happened_at >= $5' END
            || CASE WHEN among IS NULL THEN ' ORDER BY g.happened_at DESC LIMIT $7' ELSE '' END || '
        ),
        first AS MATERIALIZED (
            SELECT near.story_id FROM near WHERE near.differ IS NOT NULL AND near.story_id <> $6 ORDER BY near.differ LIMIT greatest(100, $8)
        )
        SELECT c.story_id, c.cosine, t.compared, t.of_all - t.compared
        FROM (SELECT count(near.differ) AS compared, count(*) AS of_all FROM near) AS t
        LEFT JOIN public.story_cosines(ARRAY(SELECT first.story_id FROM first), $1, $2) AS c
            ON c.cosine > 0 AND c.cosine <= 2 -- not NaN
        ORDER BY c.cosine DESC NULLS LAST
        LIMIT $8'
        USING p_model, p_vector, p_signs, among, p_since, p_except, p_newest, p_most;
END
$$;
