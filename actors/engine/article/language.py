"""The language of a text, by py3langid."""

LEAST = 200  # characters; of a shorter text the page's own attribute is believed
MOST = 1500


def text_language(text: str) -> str | None:
    """The ISO 639-1 code of a text; None if it is too short to tell."""
    if len(text) < LEAST:
        return None
    from py3langid.langid import classify

    code, _ = classify(text[:MOST])  # type: ignore[no-untyped-call]
    return str(code)
