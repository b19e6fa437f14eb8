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
