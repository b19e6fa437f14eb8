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
    settled_at timestamptz,
    question jsonb,                       -- its path and body, if it is asked in a batch, until its answer has come
    batch uuid                            -- the job that asks it, together with others
);
-- Costs of a day.
CREATE INDEX ai_calls_day_idx ON public.ai_calls (day, operation);
-- Costs of a story.
CREATE INDEX ai_calls_story_id_idx ON public.ai_calls (story_id);
-- Questions without an answer.
CREATE INDEX ai_calls_question_idx ON public.ai_calls (batch) WHERE question IS NOT NULL;

-- Answers by a hash of prompt, model, parameters, schema and input.
CREATE TABLE public.ai_answers (
    key text CONSTRAINT ai_answers_pkey PRIMARY KEY,
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT zeke_jobs.now()
);

-- Begin a call with the most that it may cost. answer: the kept one of an equal call, which costs nothing. p_put: the id of the question if it
-- is put to a batch; id is that one where it was, or is now, because p_question is given: is_new. until, why: nothing began, because the model
-- rests.
CREATE FUNCTION public.ai_call_begin(
    p_key text, -- NULL: no kept answer is wanted
    p_put uuid,
    p_question jsonb,
    p_who text,
    p_operation text,
    p_story uuid,
    p_job uuid,
    p_task text,
    p_model text,
    p_prompt text,
    p_cost numeric,
    p_cost_in_batch numeric,
    OUT id uuid,
    OUT answer jsonb,
    OUT is_new boolean,
    OUT until timestamptz,
    OUT why text
)
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    known text;
BEGIN
    answer := (SELECT k.answer FROM public.ai_answers AS k WHERE k.key = p_key);
    IF answer IS NULL AND p_put IS NOT NULL THEN
        known := (SELECT a.outcome FROM public.ai_calls AS a WHERE a.id = p_put);
        IF known IN ('open', 'ok') THEN
            ai_call_begin.id := p_put;
            RETURN;
        END IF;
    END IF;
    is_new := answer IS NULL AND known IS NULL AND p_question IS NOT NULL;
    IF answer IS NULL AND NOT is_new THEN
        SELECT r.until, r.why INTO until, why FROM public.rests AS r WHERE r.who = p_who AND r.until > zeke_jobs.now();
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    ai_call_begin.id := CASE WHEN is_new THEN p_put ELSE gen_random_uuid() END;
    INSERT INTO public.ai_calls (id, day, operation, story_id, job_id, task, model_asked, prompt, reserved_usd, question)
    VALUES (
        ai_call_begin.id, (zeke_jobs.now() AT TIME ZONE 'UTC')::date, p_operation, p_story, p_job, p_task, p_model, p_prompt,
        CASE WHEN answer IS NOT NULL THEN 0 WHEN is_new THEN p_cost_in_batch ELSE p_cost END,
        CASE WHEN is_new THEN p_question END
    )
    ON CONFLICT ON CONSTRAINT ai_calls_pkey DO NOTHING;
END
$$;

-- End a call, once: where its cost is unknown, the most that it may have cost counts. A good answer is kept and replaces an older one. Returns
-- the cost; NULL: it had ended before.
CREATE FUNCTION public.ai_call_settle(
    p_id uuid,
    p_outcome text,
    p_detail text,
    p_model text,
    p_input_tokens integer,
    p_output_tokens integer,
    p_cost numeric,
    p_is_charged boolean,
    p_latency_ms integer,
    p_key text,
    p_answer jsonb
)
RETURNS numeric
LANGUAGE plpgsql
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    cost numeric;
BEGIN
    UPDATE public.ai_calls AS a
    SET
        outcome = p_outcome,
        detail = p_detail,
        model_answered = p_model,
        input_tokens = p_input_tokens,
        output_tokens = p_output_tokens,
        cost_usd = CASE WHEN p_is_charged THEN coalesce(p_cost, a.reserved_usd) ELSE 0 END,
        latency_ms = p_latency_ms,
        settled_at = zeke_jobs.now()
    WHERE a.id = p_id AND a.settled_at IS NULL
    RETURNING a.cost_usd INTO cost;
    IF p_key IS NOT NULL THEN
        INSERT INTO public.ai_answers AS k (key, answer) VALUES (p_key, p_answer)
        ON CONFLICT (key) DO UPDATE SET answer = EXCLUDED.answer, created_at = zeke_jobs.now();
    END IF;
    RETURN cost;
END
$$;

-- A story for the AI step and the insights; its age is as of now.
CREATE FUNCTION public.story_for_ai(p_story uuid)
RETURNS TABLE (
    id uuid,
    title text,
    summary text,
    kind text,
    happened_at timestamptz,
    document text,
    description text,
    language text,
    duration_seconds integer,
    source text,
    authority double precision,
    age_days integer
)
LANGUAGE plpgsql STABLE ROWS 1
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT
        s.id::uuid,
        coalesce(s.title, '')::text,
        s.summary::text,
        s.kind::text,
        coalesce(s.published_at, s.created_at)::timestamptz,
        coalesce(nullif(d.markdown, ''), c.text_body, '')::text,
        coalesce(d.description, '')::text,
        c.language_code::text,
        c.duration_seconds::integer,
        coalesce(src.name, src.url, '')::text,
        src.authority_score::float8,
        greatest(0, floor(extract(epoch FROM zeke_jobs.now() - coalesce(s.published_at, s.created_at)) / 86400))::int
    FROM public.stories AS s
    JOIN public.contents AS c ON c.id = s.content_id
    LEFT JOIN public.content_details AS d ON d.content_id = c.id
    LEFT JOIN public.sources AS src ON src.id = s.primary_source_id
    WHERE s.id = p_story;
END
$$;
