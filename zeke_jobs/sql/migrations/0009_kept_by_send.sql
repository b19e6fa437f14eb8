-- A send may say how long its job is kept. Its other wishes, retries and a timeout, travel in the message.

ALTER TABLE zeke_jobs.queue
  ADD COLUMN keep interval,
  ADD COLUMN purge_on timestamptz;
COMMENT ON COLUMN zeke_jobs.queue.keep IS 'How long the send wants it kept after its end; NULL: as its task says.';
COMMENT ON COLUMN zeke_jobs.queue.purge_on IS 'When a job that ended is removed, where its send said how long it is kept.';

-- Serves retention.
CREATE INDEX queue_purge ON zeke_jobs.queue (purge_on) WHERE purge_on IS NOT NULL;
