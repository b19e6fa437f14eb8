-- The filters that people added by zeke-news filter, in the order of their numbers.
SELECT f.number, f.rule::text AS rule
FROM public.filters AS f
ORDER BY f.number
