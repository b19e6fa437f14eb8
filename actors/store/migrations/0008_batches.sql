-- A question that is asked in a batch, at half the price, is stored until its answer has come.
ALTER TABLE public.ai_calls
    ADD COLUMN question jsonb, -- its path and body
    ADD COLUMN batch uuid;     -- the job that asks it, together with others
-- Questions without an answer.
CREATE INDEX ai_calls_question_idx ON public.ai_calls (batch) WHERE question IS NOT NULL;
