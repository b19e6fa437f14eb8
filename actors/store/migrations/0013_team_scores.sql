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

-- By how much a story is raised or lowered for a team: by its own interests, or by everybody's.
CREATE FUNCTION public.story_shift(p_story uuid, p_team uuid)
RETURNS numeric
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(
        (SELECT t.shift FROM public.team_scores AS t WHERE t.story_id = p_story AND t.team_id = p_team),
        (
            SELECT t.shift
            FROM public.team_scores AS t
            WHERE t.story_id = p_story AND t.team_id = '00000000-0000-0000-0000-000000000000'
        ),
        0)
$$;

-- A story's chili for a team, 0 to 5; null before the analysis.
CREATE FUNCTION public.story_chili(p_citations jsonb, p_story uuid, p_team uuid)
RETURNS numeric
LANGUAGE sql STABLE
AS $$
    SELECT least(5, greatest(0, (p_citations ->> 'chili')::numeric + public.story_shift(p_story, p_team)))
    WHERE jsonb_typeof(p_citations -> 'chili') = 'number'
$$;
