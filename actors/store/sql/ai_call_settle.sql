-- End a call, once, and keep a good answer. Returns the cost; NULL: the call had ended before.
SELECT public.ai_call_settle(
  %(id)s::uuid, %(outcome)s, %(detail)s, %(model)s, %(input_tokens)s, %(output_tokens)s, %(cost)s, %(is_charged)s, %(latency_ms)s,
  %(key)s, %(answer)s::jsonb) AS cost_usd
