-- Saved searches whose new stories are sent at once.
CREATE TABLE public.alerts (
    id integer GENERATED ALWAYS AS IDENTITY CONSTRAINT alerts_pkey PRIMARY KEY,
    name text NOT NULL CONSTRAINT alerts_name_key UNIQUE,
    query text NOT NULL,       -- as a person wrote it
    words text NOT NULL,       -- of it, for websearch_to_tsquery; empty for all stories
    sources text[] NOT NULL,   -- parts of their names or addresses; empty for all
    min_chili numeric,
    receivers text[] NOT NULL, -- of deliver-alert in jobs.yaml
    created_at timestamptz NOT NULL DEFAULT zeke_jobs.now()
);

-- The stories that alerts found, and when they were sent: one of each event for each receiver.
CREATE TABLE public.alert_stories (
    receiver text NOT NULL,
    story_id uuid NOT NULL CONSTRAINT alert_stories_story_id_fkey REFERENCES public.stories (id) ON DELETE CASCADE,
    alert_id integer CONSTRAINT alert_stories_alert_id_fkey REFERENCES public.alerts (id) ON DELETE SET NULL, -- null once it is removed
    created_at timestamptz NOT NULL DEFAULT zeke_jobs.now(),
    sent_at timestamptz,       -- the same for all stories of one message
    detail text,               -- why it waits
    is_offered boolean NOT NULL DEFAULT false, -- in the message that is being delivered
    CONSTRAINT alert_stories_pkey PRIMARY KEY (story_id, receiver)
);

-- The stories that wait for a receiver, and its stories of the last hour.
CREATE INDEX alert_stories_receiver_idx ON public.alert_stories (receiver, sent_at);
CREATE INDEX alert_stories_alert_id_idx ON public.alert_stories (alert_id);

-- How each alert judges a story: it is sent if all is true. What was found before the alert was added, or published long before it was
-- found, is no news.
CREATE FUNCTION public.alert_fits(p_story uuid)
RETURNS TABLE (alert_id integer, chili numeric, is_new boolean, is_fresh boolean, is_hot boolean, has_words boolean, has_source boolean)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT
        a.id,
        told.chili,
        s.created_at >= a.created_at,
        i.happened_at >= s.created_at - interval '2 days',
        a.min_chili IS NULL OR coalesce(told.chili >= a.min_chili, false),
        a.words = '' OR i.document @@ websearch_to_tsquery(i.language::regconfig, public.story_words(a.words)),
        a.sources = '{}' OR EXISTS (
            SELECT
            FROM unnest(a.sources) AS part
            WHERE strpos(lower(src.name), lower(part)) > 0 OR strpos(lower(src.url), lower(part)) > 0)
    FROM public.stories AS s
    JOIN public.story_index AS i ON i.story_id = s.id
    LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
    LEFT JOIN LATERAL (
        SELECT least(5, greatest(0, (o.citations ->> 'chili')::numeric + coalesce(t.shift, 0))) AS chili
        FROM public.story_overlays AS o
        LEFT JOIN public.team_scores AS t
            ON t.story_id = o.story_id AND t.team_id = '00000000-0000-0000-0000-000000000000'
        WHERE o.story_id = s.id AND jsonb_typeof(o.citations -> 'chili') = 'number'
    ) AS told ON true
    CROSS JOIN public.alerts AS a
    WHERE s.id = p_story;
END
$$;

-- Note the hottest story of an event for each receiver whose alert it fits, unless the receiver has one of this event; returns the receivers.
-- Of a large event the newest stories count.
CREATE FUNCTION public.alert_hits(p_story uuid)
RETURNS SETOF text
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    event uuid[];
BEGIN
    IF NOT EXISTS (SELECT FROM public.alerts) THEN
        RETURN;
    END IF;
    event := p_story || ARRAY(
        SELECT m.id
        FROM public.stories AS s
        JOIN public.stories AS m ON m.cluster_id = s.cluster_id AND m.id <> s.id
        WHERE s.id = p_story
        ORDER BY m.created_at DESC
        LIMIT 1000
    );
    RETURN QUERY
    WITH wanted AS MATERIALIZED (
        SELECT a.id AS alert_id, r.receiver
        FROM public.alerts AS a
        CROSS JOIN LATERAL unnest(a.receivers) AS r (receiver)
        WHERE NOT EXISTS (
            SELECT FROM public.alert_stories AS t WHERE t.receiver = r.receiver AND t.story_id = ANY (event))
    ),
    fits AS (
        SELECT DISTINCT ON (w.receiver) w.receiver, m.id AS story_id, w.alert_id
        FROM unnest(event[:50]) AS m (id)
        CROSS JOIN LATERAL public.alert_fits(m.id) AS f
        JOIN wanted AS w ON w.alert_id = f.alert_id
        WHERE EXISTS (SELECT FROM wanted)
            AND f.is_new AND f.is_fresh AND f.is_hot AND f.has_words AND f.has_source
        ORDER BY w.receiver, f.chili DESC NULLS LAST, w.alert_id, m.id
    )
    INSERT INTO public.alert_stories AS t (receiver, story_id, alert_id)
    SELECT fits.receiver, fits.story_id, fits.alert_id FROM fits ORDER BY fits.alert_id, fits.receiver
    ON CONFLICT DO NOTHING
    RETURNING t.receiver;
END
$$;
