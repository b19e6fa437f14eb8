-- By how much a team's interests raise or lower a story's chili, and why.
CREATE TABLE public.team_scores (
    story_id uuid NOT NULL
        CONSTRAINT team_scores_story_id_fkey REFERENCES public.stories (id) ON DELETE CASCADE,
    team_id uuid NOT NULL,          -- all zeros: everybody who has no interests of their own
    shift numeric(4, 2) NOT NULL,   -- chili points
    parts jsonb NOT NULL,           -- words and example stories that made it so
    updated_at timestamptz NOT NULL DEFAULT zeke_jobs.now(),
    CONSTRAINT team_scores_pkey PRIMARY KEY (story_id, team_id)
);
