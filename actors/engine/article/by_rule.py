"""Reads a page as the rule of its site says: some elements go, and others are its text."""

from copy import deepcopy

from lxml.html import HtmlElement

from actors.engine.article.full_text import Article, read_article
from actors.engine.article.plain import plain_text
from actors.engine.sites.selectors import select


def by_rule(tree: HtmlElement, structured: str, text: str | None, remove: str | None) -> Article:
    """Read the article of a parsed page, which stays as it is, so that a wall in it is found all the same.

    If the selector of the text finds none, the page is read as one without a rule. The reason tells of each selector.

    Args:
        tree: The page.
        structured: The text in the page's own data, or empty. It has what ``remove`` names, so it counts only without that.
        text: The selector of the text, or None.
        remove: The selector of what goes, or None.
    """
    page, reasons = deepcopy(tree), []
    going = [one for one in select(page, remove) if one is not page] if remove else []
    for one in going:
        one.drop_tree()  # type: ignore[no-untyped-call]
    if remove:
        reasons.append(f"{remove!r} removes {len(going) or 'nothing'}")
    if text:
        found = select(page, text)
        plain, marked = ("\n\n".join(plain_text(one, marked=is_marked) for one in found) for is_marked in (False, True))
        reasons.append(f"{text!r} finds {len(found) or 'nothing'}")
        if plain.strip():
            return Article(plain.strip(), marked.strip(), f"rule: {', '.join(reasons)}")
    article = read_article(page, "" if going else structured)
    return Article(article.text, article.markdown, f"{article.reason}; rule: {', '.join(reasons)}")
