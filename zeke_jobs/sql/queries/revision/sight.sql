-- Return whether this login may read payloads and the texts of jobs.yaml.
SELECT has_table_privilege('zeke_jobs.queue', 'SELECT') AND has_table_privilege('zeke_jobs.revision', 'SELECT') AS sees_all
