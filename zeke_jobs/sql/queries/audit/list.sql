-- Return the newest changes by people (audit entries) that pass all given filters. The filter "who" matches a login, or a name that a caller gave.
SELECT a.number, a.done_on, a.login, a.said_by, a.action, a.target, a.reason, a.jobs
FROM zeke_jobs.audit AS a
WHERE (CAST(%(who)s AS text) IS NULL OR %(who)s IN (a.login, a.said_by, split_part(a.said_by, '@', 1)))
  AND (CAST(%(actions)s AS text[]) IS NULL OR a.action = ANY (%(actions)s))
  AND (CAST(%(target)s AS text) IS NULL OR a.target = %(target)s OR CAST(%(target)s AS text) = ANY (a.jobs::text[]))
  AND (CAST(%(begin)s AS timestamptz) IS NULL OR a.done_on >= %(begin)s)
  AND (CAST(%(end)s AS timestamptz) IS NULL OR a.done_on < %(end)s)
ORDER BY a.number DESC LIMIT %(limit)s
