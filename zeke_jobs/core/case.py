"""Names in camelCase, an accepted spelling in payloads."""


def camel_case(name: str) -> str:
    """``story_id`` → ``storyId``; the database's ``zeke_jobs.camel`` does the same."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)
