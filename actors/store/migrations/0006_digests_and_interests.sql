-- Digests: the top of a period's news, for a team or for all.
CREATE TABLE public.digests (
    id uuid CONSTRAINT digests_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    period text NOT NULL,           -- day or week
    ends_on date NOT NULL,          -- its last day, in UTC
    team_id uuid,                   -- null for all
    entries jsonb NOT NULL,         -- the leading story of each event, best first
    created_at timestamptz NOT NULL DEFAULT zeke_jobs.now(),
    updated_at timestamptz NOT NULL DEFAULT zeke_jobs.now()
);
-- One digest for a period and team; two workers that make it at once make one.
CREATE UNIQUE INDEX digests_period_key
    ON public.digests (period, ends_on, coalesce(team_id, '00000000-0000-0000-0000-000000000000'));

-- Which digest was delivered to whom: each receiver gets the one of a period once, however often the job runs.
CREATE TABLE public.digest_deliveries (
    period text NOT NULL,
    ends_on date NOT NULL,
    team_id uuid NOT NULL,          -- all zeros for all
    receiver text NOT NULL,         -- mail:ADDRESS, folder:PATH or webhook:ADDRESS
    delivered_at timestamptz,       -- null where it has failed so far
    attempts integer NOT NULL DEFAULT 1,
    detail text,                    -- why it failed
    updated_at timestamptz NOT NULL DEFAULT zeke_jobs.now(),
    CONSTRAINT digest_deliveries_pkey PRIMARY KEY (period, ends_on, team_id, receiver)
);

-- By how much a team's interests raise or lower a story's chili, and why.
CREATE TABLE public.team_scores (
    story_id uuid NOT NULL
        CONSTRAINT team_scores_story_id_fkey REFERENCES public.stories (id) ON DELETE CASCADE,
    team_id uuid NOT NULL,          -- all zeros: everybody who has no interests of their own
    shift numeric(4, 2) NOT NULL,   -- chili points
    parts jsonb NOT NULL,           -- words and example stories that made it so
    updated_at timestamptz NOT NULL DEFAULT zeke_jobs.now(),
    CONSTRAINT team_scores_pkey PRIMARY KEY (story_id, team_id)
);
