-- The budget of a day is a limit of jobs.yaml now.
DROP TABLE public.ai_days;
