-- Without a role of ours nobody may call these functions. `zeke-jobs roles` gives rights.

REVOKE ALL ON FUNCTION
  zeke_jobs.known_task(text), zeke_jobs.refuse_sender(text, jsonb), zeke_jobs.task_names(), zeke_jobs.output_of(uuid),
  zeke_jobs.send(text, jsonb, jsonb), zeke_jobs.enqueue(text, text, text, text, text),
  zeke_jobs.enqueue_many(text, integer, jsonb, uuid[], text[], jsonb),
  zeke_jobs.open_batch(text, text, jsonb, text), zeke_jobs.try_open_batch(text, text, jsonb, text), zeke_jobs.close_batch(text),
  zeke_jobs.emit(text, jsonb), zeke_jobs.put_schedule(text, text, text, text, jsonb, text, jsonb, text), zeke_jobs.delete_schedule(text, text),
  zeke_jobs.oldest_due(text, text), zeke_jobs.depth(text, text, integer), zeke_jobs.pace(text, integer), zeke_jobs.room_of(text[]),
  zeke_jobs.due_jobs(text, text), zeke_jobs.turns_before(uuid, integer)
FROM PUBLIC;

REVOKE ALL ON FUNCTION
  zeke_jobs.count_changes(text, jsonb, jsonb, integer), zeke_jobs.change_jobs(text, jsonb, jsonb, text, text, uuid, integer), zeke_jobs.import_jobs(text, jsonb, text),
  zeke_jobs.cancel_batch(text, text, text), zeke_jobs.retry_batch(text, text), zeke_jobs.add_up_batches(), zeke_jobs.deliver_event(),
  zeke_jobs.forget_audit(), zeke_jobs.cancel_removed(), zeke_jobs.delete_job(uuid, text),
  zeke_jobs.write_pgboss(),
  zeke_jobs.pause(text, text, text), zeke_jobs.resume(text, text),
  zeke_jobs.lock_catalogue(), zeke_jobs.put_in_force(jsonb, jsonb, jsonb, text[], jsonb),
  zeke_jobs.lock_schedule(text, text, text, timestamptz),
  zeke_jobs.advance_schedule(text, text, text, timestamptz, timestamptz),
  zeke_jobs.record_tick(text, timestamptz, text, text, text, uuid), zeke_jobs.note_sent(text, text, text, text, uuid[])
FROM PUBLIC;
