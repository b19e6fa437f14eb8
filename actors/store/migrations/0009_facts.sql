-- The names and figures of each story's title and lead: two tellings of one event share some, also where they share few other words.
ALTER TABLE public.story_signs ADD COLUMN facts text[] NOT NULL DEFAULT '{}';
