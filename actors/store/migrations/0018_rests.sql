-- Who rests until when, and why: hosts, the Engine, AI providers. Nobody asks them before then.
ALTER TABLE public.host_rests RENAME TO rests;
ALTER TABLE public.rests RENAME COLUMN host TO who;
ALTER TABLE public.rests RENAME CONSTRAINT host_rests_pkey TO rests_pkey;
ALTER TABLE public.rests ADD COLUMN why text NOT NULL DEFAULT '';
UPDATE public.rests SET who = 'host/' || who;
