-- Cancel imported jobs in pg-boss, in the transaction that imports them. Compare the queue, too, because jobs of several queues may have the same id.
UPDATE job AS j
SET state = 'cancelled', completed_on = now(), output = '{"moved": "zeke_jobs"}'
WHERE j.id = ANY (%(jobs)s::uuid[]) AND j.state::text IN ('created', 'retry')
  AND EXISTS (SELECT 1 FROM zeke_jobs.imported AS i WHERE i.source = %(source)s AND i.source_id = j.id AND i.name = j.name)
