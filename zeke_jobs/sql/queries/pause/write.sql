-- Pause a target: claims skip it from now on. An existing pause is kept.
SELECT zeke_jobs.pause(%(target)s, %(by)s, %(reason)s) AS changed
