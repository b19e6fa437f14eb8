"""Tasks that write briefs."""
