-- The names of the events that jobs wait for, because the AI provider has not finished their batch yet.
SELECT substr(j.waiting_for, length('event ') + 1) AS event
FROM zeke_jobs.job AS j
WHERE j.id IN (SELECT a.batch FROM public.ai_calls AS a WHERE a.question IS NOT NULL AND a.batch IS NOT NULL)
  AND j.state IN ('created', 'retry')
  AND j.waiting_for LIKE 'event ai-batch/%%'
