-- What one worker at a time does is done under the lock of a row here: an advisory lock could be taken, and kept, by everybody who may
-- connect.
CREATE TABLE public.pipeline_locks (
    name text CONSTRAINT pipeline_locks_pkey PRIMARY KEY
);
INSERT INTO public.pipeline_locks (name) VALUES ('clusters'), ('filing');
