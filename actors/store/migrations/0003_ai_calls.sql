-- What the AI step asked of providers, what it cost, and what they answered to the same question before.

-- Every call, also those that failed and those that the cache answered.
CREATE TABLE public.ai_calls (
    id uuid CONSTRAINT ai_calls_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
    day date NOT NULL,                    -- in UTC; budgets and reports count by it
    operation text NOT NULL,              -- analyze, brief, summarize, embed
    story_id uuid,                        -- without a foreign key: what was spent stays known
    job_id uuid NOT NULL,
    task text NOT NULL,
    model_asked text NOT NULL,
    model_answered text,
    prompt text,                          -- id and version
    outcome text NOT NULL DEFAULT 'open', -- open, ok, cached, rate_limited, refused, truncated, invalid, timeout, failed
    detail text,
    input_tokens integer,
    output_tokens integer,
    reserved_usd numeric(14, 8),          -- greatest possible cost; null where the price is unknown
    cost_usd numeric(14, 8),              -- what it was; null where the price is unknown
    latency_ms integer,
    created_at timestamptz NOT NULL DEFAULT zeke_jobs.now(),
    settled_at timestamptz
);
-- Costs of a day.
CREATE INDEX ai_calls_day_idx ON public.ai_calls (day, operation);
-- Costs of a story.
CREATE INDEX ai_calls_story_id_idx ON public.ai_calls (story_id);

-- One row a day: who reserves locks it, so that two workers cannot spend the same cent.
CREATE TABLE public.ai_days (
    day date CONSTRAINT ai_days_pkey PRIMARY KEY,
    reserved_usd numeric(14, 8) NOT NULL DEFAULT 0,
    spent_usd numeric(14, 8) NOT NULL DEFAULT 0
);

-- Answers by a hash of prompt, model, parameters, schema and input.
CREATE TABLE public.ai_answers (
    key text CONSTRAINT ai_answers_pkey PRIMARY KEY,
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT zeke_jobs.now()
);
