-- By which way of reading a text was found, and why this one was taken; NULL for texts of before, and where an Engine does not say.
ALTER TABLE public.content_details ADD COLUMN text_choice text;
