-- Send no more ticks of a schedule until it is resumed. The first pause stands.
INSERT INTO zeke_jobs.pause (target, paused_by, reason)
VALUES ('schedule/' || %(task)s, %(by)s, %(reason)s)
ON CONFLICT (target) DO NOTHING
