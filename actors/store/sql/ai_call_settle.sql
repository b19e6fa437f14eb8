-- End calls, each only once, and store valid answers. Returns the costs; NULL for a call that had already ended.
SELECT e.id, public.ai_call_settle(
  e.id, e.outcome, e.detail, e.model, e.input_tokens, e.output_tokens, e.cost, e.is_charged, e.latency_ms, e.key, e.answer) AS cost_usd
FROM jsonb_to_recordset(%(ends)s) AS e (
  id uuid, outcome text, detail text, model text, input_tokens integer, output_tokens integer, cost numeric, is_charged boolean,
  latency_ms integer, key text, answer jsonb)
