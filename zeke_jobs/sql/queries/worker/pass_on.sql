-- Pass a wake-up on: no thread is free here, so the other waiting workers look.
SELECT zeke_jobs.ring(%(queue)s, %(worker)s::uuid)
