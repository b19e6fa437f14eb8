-- What the pipeline must remember beyond the product's tables, in tables of its own, so that those stay as they are.

-- How a feed is polled: what its server told us, and when to ask again.
CREATE TABLE public.source_polling (
    source_id uuid CONSTRAINT source_polling_pkey PRIMARY KEY
        CONSTRAINT source_polling_source_id_fkey REFERENCES public.sources (id) ON DELETE CASCADE,
    etag text,
    last_modified text,
    next_check_at timestamptz NOT NULL DEFAULT now(),
    checked_at timestamptz,
    interval_seconds integer NOT NULL DEFAULT 3600,
    failures integer NOT NULL DEFAULT 0,
    gone_count integer NOT NULL DEFAULT 0,
    moved_to text,
    moved_count integer NOT NULL DEFAULT 0,
    moved_since timestamptz,
    fetched_once boolean NOT NULL DEFAULT false,
    queued_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- Which sources are due.
CREATE INDEX source_polling_next_check_at_idx ON public.source_polling (next_check_at);

-- What became of each raw item: one value of the closed list in actors/outcomes.py.
CREATE TABLE public.item_outcomes (
    raw_item_id uuid CONSTRAINT item_outcomes_pkey PRIMARY KEY
        CONSTRAINT item_outcomes_raw_item_id_fkey REFERENCES public.raw_items (id) ON DELETE CASCADE,
    outcome text NOT NULL,
    detail text,
    story_id uuid
        CONSTRAINT item_outcomes_story_id_fkey REFERENCES public.stories (id) ON DELETE SET NULL,
    attempts integer NOT NULL DEFAULT 0,
    queued_at timestamptz NOT NULL DEFAULT now(),
    queued_count integer NOT NULL DEFAULT 1,
    decided_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- Items in flight, longest waiting first: the sweep.
CREATE INDEX item_outcomes_in_flight_idx ON public.item_outcomes (queued_at)
    WHERE outcome IN ('queued', 'retrying');
-- Which items tell of a story (its other sources).
CREATE INDEX item_outcomes_story_id_idx ON public.item_outcomes (story_id);

-- What extraction knows beyond contents: markdown (code blocks survive in it), and where the text came from.
CREATE TABLE public.content_details (
    content_id uuid CONSTRAINT content_details_pkey PRIMARY KEY
        CONSTRAINT content_details_content_id_fkey REFERENCES public.contents (id) ON DELETE CASCADE,
    markdown text,
    canonical_url text,
    final_url text,
    author text,
    text_origin text NOT NULL,
    revision integer NOT NULL DEFAULT 1,
    written_title text, -- the title that the pipeline gave the story last: another one is a person's, and stays
    text_choice text,   -- by which way of reading the text was found, and why this one was taken; NULL where an Engine does not say
    description text,   -- how the page describes itself, where it does
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- One story per text and per address: the primary key decides between two workers.
CREATE TABLE public.story_keys (
    key text CONSTRAINT story_keys_pkey PRIMARY KEY,
    story_id uuid NOT NULL
        CONSTRAINT story_keys_story_id_fkey REFERENCES public.stories (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX story_keys_story_id_idx ON public.story_keys (story_id);

-- Bands of the MinHash signature of a story's text; two stories that share a band are compared.
CREATE TABLE public.story_bands (
    story_id uuid CONSTRAINT story_bands_pkey PRIMARY KEY
        CONSTRAINT story_bands_story_id_fkey REFERENCES public.stories (id) ON DELETE CASCADE,
    bands bigint[] NOT NULL
);
-- Candidates: stories that share a band. Without a pending list: each look-up would read all of it, and there are forty a story.
CREATE INDEX story_bands_bands_idx ON public.story_bands USING gin (bands) WITH (fastupdate = off);

-- Items of uploads that are too large for a payload; ingest-from-upload is given the id.
CREATE TABLE public.uploads (
    id uuid CONSTRAINT uploads_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    source_id uuid NOT NULL
        CONSTRAINT uploads_source_id_fkey REFERENCES public.sources (id) ON DELETE CASCADE,
    uploaded_by text,
    items jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Hosts, the Engine and AI providers that rest, until when, and why. No job asks them before then.
CREATE TABLE public.rests (
    who text CONSTRAINT rests_pkey PRIMARY KEY,
    until timestamptz NOT NULL,
    why text NOT NULL DEFAULT ''
);

-- The filters that people add by the command line; those of jobs.yaml stand there.
CREATE TABLE public.filters (
    number integer GENERATED ALWAYS AS IDENTITY CONSTRAINT filters_pkey PRIMARY KEY,
    rule jsonb NOT NULL, -- as in jobs.yaml
    created_at timestamptz NOT NULL DEFAULT zeke_jobs.now()
);

-- The ids that the unfinished jobs of a task have in a field of their payload, which is an id or a list. A function, because it takes longer to
-- plan a look at the jobs than to look, and a pull that misses nothing needs none.
CREATE FUNCTION public.named_by_jobs(p_task text, p_field text)
RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT named.id
    FROM zeke_jobs.job AS j
    CROSS JOIN LATERAL jsonb_array_elements_text(
        CASE jsonb_typeof(j.data -> p_field) WHEN 'array' THEN j.data -> p_field ELSE jsonb_build_array(j.data -> p_field) END
    ) AS named (id)
    WHERE j.name = p_task AND j.state IN ('created', 'retry', 'active');
END
$$;
