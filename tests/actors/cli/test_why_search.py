"""``zeke-news why`` finds an article whose address differs from many other addresses in the query string only."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from actors.cli.why import explain
from tests.actors.database import execute


@pytest.mark.parametrize(
    ("stored", "asked", "others"),
    [
        (
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=10s",
            "https://m.youtube.com/watch?t=10s&v=dQw4w9WgXcQ",
            "https://www.youtube.com/watch?v=video{n:06}",
        ),
        ("https://news.a.example/item?id=1", "news.a.example/item?id=1", "https://news.a.example/item?id=1{n:06}"),
        ("https://a.example/?p=123", "http://a.example/?utm_source=x&p=123", "https://a.example/?p={n}"),
        ("https://a.example/", "https://a.example", "https://a.example/{n}"),
        ("https://a.example/x?q=gr%C3%BCn", "https://a.example/x?q=grün", "https://b.example/x?q=gr%C3%BCn{n}"),
        ("https://a.example/a%20title%20[draft]", "https://a.example/a title [draft]", "https://b.example/{n}"),
        ("https://a.example/%C3%BCn%C3%AFcode", "https://a.example/ünïcode", "https://b.example/{n}"),
        ("https://a.example/ünïcode", "https://a.example/%C3%BCn%C3%AFcode", "https://b.example/{n}"),
        ("http://localhost:8080/x", "localhost:8080/x", "https://b.example/{n}"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x", "https://b.example/x?{n}"),
    ],
)
def test_an_article_is_found_among_many_that_differ_only_in_their_query(
    add_story: Callable[..., UUID], conn: Any, stored: str, asked: str, others: str
) -> None:
    add_story("A text.")
    execute(conn, "UPDATE raw_items SET url = %s, created_at = now() - interval '1 day'", stored)
    urls = [others.format(n=n) for n in range(1_000, 1_300)]
    execute(
        conn, "INSERT INTO raw_items (source_id, external_id, url) SELECT id, u, u FROM sources, unnest(%s) AS u", urls
    )
    assert [item["url"] for item in explain(conn, asked)["items"]] == [stored]
