-- Return unstarted claims to the queue; returns the claims that were still ours.
SELECT g AS id FROM zeke_jobs.give_back(%(worker)s::uuid, %(ids)s::uuid[], %(claims)s::bigint[]) AS g
