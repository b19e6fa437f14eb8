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
