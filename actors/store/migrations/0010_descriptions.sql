-- How a page describes itself, where it does; NULL for texts of before.
ALTER TABLE public.content_details ADD COLUMN description text;
