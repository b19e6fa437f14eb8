-- The tables of the product, created only where they are missing.
-- teams (uuid) and users (text ids) belong to the API; they are referred to without foreign keys.

CREATE TABLE IF NOT EXISTS public.sources (
    id uuid CONSTRAINT sources_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    type text NOT NULL,
    name text,
    url text,
    authority_score numeric(3, 2),
    is_active boolean NOT NULL DEFAULT true,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.source_health (
    source_id uuid CONSTRAINT source_health_pkey PRIMARY KEY
        CONSTRAINT source_health_source_id_fkey REFERENCES public.sources (id) ON DELETE CASCADE,
    status text NOT NULL DEFAULT 'ok',
    last_success_at timestamptz,
    last_error_at timestamptz,
    message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.raw_items (
    id uuid CONSTRAINT raw_items_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    source_id uuid NOT NULL
        CONSTRAINT raw_items_source_id_fkey REFERENCES public.sources (id) ON DELETE CASCADE,
    external_id text NOT NULL,
    kind text NOT NULL DEFAULT 'article',
    title text,
    url text,
    status text NOT NULL DEFAULT 'pending',
    published_at timestamptz,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT raw_items_source_id_external_id_key UNIQUE (source_id, external_id)
);

CREATE TABLE IF NOT EXISTS public.contents (
    id uuid CONSTRAINT contents_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    raw_item_id uuid NOT NULL CONSTRAINT contents_raw_item_id_key UNIQUE
        CONSTRAINT contents_raw_item_id_fkey REFERENCES public.raw_items (id) ON DELETE CASCADE,
    content_type text NOT NULL DEFAULT 'text',
    text_body text,
    html_url text,
    language_code text,
    content_hash text NOT NULL,
    duration_seconds integer,
    extracted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.story_clusters (
    id uuid CONSTRAINT story_clusters_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    cluster_key text NOT NULL CONSTRAINT story_clusters_cluster_key_key UNIQUE,
    label text,
    primary_story_id uuid,
    metrics jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.stories (
    id uuid CONSTRAINT stories_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    content_id uuid NOT NULL CONSTRAINT stories_content_id_key UNIQUE
        CONSTRAINT stories_content_id_fkey REFERENCES public.contents (id) ON DELETE CASCADE,
    cluster_id uuid
        CONSTRAINT stories_cluster_id_fkey REFERENCES public.story_clusters (id) ON DELETE SET NULL,
    primary_source_id uuid
        CONSTRAINT stories_primary_source_id_fkey REFERENCES public.sources (id) ON DELETE SET NULL,
    title text,
    summary text,
    kind text NOT NULL DEFAULT 'article',
    primary_url text,
    published_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.story_overlays (
    story_id uuid CONSTRAINT story_overlays_pkey PRIMARY KEY
        CONSTRAINT story_overlays_story_id_fkey REFERENCES public.stories (id) ON DELETE CASCADE,
    why_it_matters text,
    confidence numeric(3, 2),
    citations jsonb NOT NULL DEFAULT '{}',
    analysis_state text NOT NULL DEFAULT 'pending',
    analyzed_at timestamptz,
    brief_one_liner text,
    brief_two_liner text,
    brief_elevator text,
    time_saved_seconds integer,
    brief_generated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.highlights (
    id uuid CONSTRAINT highlights_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    story_id uuid NOT NULL
        CONSTRAINT highlights_story_id_fkey REFERENCES public.stories (id) ON DELETE CASCADE,
    team_id uuid,
    created_by text NOT NULL,
    kind text NOT NULL DEFAULT 'insight',
    origin text NOT NULL DEFAULT 'system',
    title text,
    summary text,
    quote text,
    confidence numeric(3, 2),
    is_generated boolean NOT NULL DEFAULT false,
    metadata jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS public.team_story_states (
    id uuid CONSTRAINT team_story_states_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    team_id uuid NOT NULL,
    story_id uuid NOT NULL
        CONSTRAINT team_story_states_story_id_fkey REFERENCES public.stories (id) ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'unread',
    pinned boolean NOT NULL DEFAULT false,
    rating integer,
    last_viewed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT team_story_states_team_id_story_id_key UNIQUE (team_id, story_id)
);

-- Embeddings: vector(1536) where pgvector can be had, else real[]; the readers handle both.
DO $$
DECLARE
    kind text := 'real[]';
BEGIN
    IF to_regclass('public.story_embeddings') IS NOT NULL THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN
        BEGIN
            CREATE EXTENSION IF NOT EXISTS vector;
            SELECT format('%I.vector(1536)', n.nspname) INTO kind
            FROM pg_extension AS e
            JOIN pg_namespace AS n ON n.oid = e.extnamespace
            WHERE e.extname = 'vector';
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE NOTICE 'pgvector is available but this role may not create it; embeddings are stored as real[]';
        END;
    END IF;
    EXECUTE format(
        'CREATE TABLE public.story_embeddings (
            story_id uuid CONSTRAINT story_embeddings_pkey PRIMARY KEY
                CONSTRAINT story_embeddings_story_id_fkey REFERENCES public.stories (id) ON DELETE CASCADE,
            model_version text NOT NULL,
            embedding %s NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            updated_at timestamptz NOT NULL DEFAULT now()
        )',
        kind
    );
END
$$;

-- Members of a cluster.
CREATE INDEX IF NOT EXISTS stories_cluster_id_idx ON public.stories (cluster_id);
-- Highlights of a story.
CREATE INDEX IF NOT EXISTS highlights_story_id_idx ON public.highlights (story_id);
