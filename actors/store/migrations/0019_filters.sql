-- The filters that people add by the command line; those of jobs.yaml stand there.
CREATE TABLE public.filters (
    number integer GENERATED ALWAYS AS IDENTITY CONSTRAINT filters_pkey PRIMARY KEY,
    rule jsonb NOT NULL, -- as in jobs.yaml
    created_at timestamptz NOT NULL DEFAULT zeke_jobs.now()
);
