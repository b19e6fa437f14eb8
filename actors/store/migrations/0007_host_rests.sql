-- Hosts that asked to be left alone, by Retry-After: nobody asks them for a feed or a page before then.
CREATE TABLE public.host_rests (
    host text CONSTRAINT host_rests_pkey PRIMARY KEY,
    until timestamptz NOT NULL
);
