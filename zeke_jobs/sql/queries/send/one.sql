-- Send one job. The task must still have the revision that the payload was checked against. The answer is one text, "(outcome,id,status)",
-- because calling the function in FROM for a row of three columns costs the server a sixth of the whole send.
SELECT CAST(zeke_jobs.enqueue(
  CAST(%(task)s AS text), CAST(%(revision)s AS integer), CAST(%(payload)s AS jsonb), CAST(%(options)s AS jsonb)) AS text) AS sent
