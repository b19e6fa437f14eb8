-- Pause: claims take nothing of the target from now on. The first pause stands.
INSERT INTO zeke_jobs.pause (target, paused_by, reason)
VALUES (%(target)s, %(by)s, %(reason)s)
ON CONFLICT (target) DO NOTHING
