-- Hand back claims whose jobs have not started; answers the claims that were still ours.
SELECT g AS id FROM zeke_jobs.give_back(%(worker)s::uuid, %(ids)s::uuid[], %(claims)s::bigint[]) AS g
