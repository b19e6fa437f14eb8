-- The filters that people added, in order.
SELECT f.number, f.rule::text AS rule
FROM public.filters AS f
ORDER BY f.number
