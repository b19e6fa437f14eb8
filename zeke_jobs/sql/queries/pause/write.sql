-- Pause: claims take nothing of the target from now on. The first pause stands.
SELECT zeke_jobs.pause(%(target)s, %(by)s, %(reason)s) AS changed
