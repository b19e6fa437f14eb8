-- Strict order by key: of one key's jobs only the oldest may run.

ALTER TABLE zeke_jobs.task ADD COLUMN order_hold boolean;
COMMENT ON COLUMN zeke_jobs.task.order_hold IS 'Its jobs run in strict order by key, and a failed one holds its key (true) or is skipped (false). NULL: in no order.';

ALTER TABLE zeke_jobs.queue ADD COLUMN order_hold boolean;
COMMENT ON COLUMN zeke_jobs.queue.order_hold IS 'As its task''s: it stands in the line of its key.';

-- Serves claims in strict order: the oldest job of a key that has not ended, or that failed and holds it.
CREATE INDEX queue_line ON zeke_jobs.queue (task, key, seq)
  WHERE order_hold IS NOT NULL AND (state IN ('queued', 'consumed') OR order_hold AND state = 'rejected' AND cancelled_on IS NULL);
