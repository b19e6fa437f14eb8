"""The checks read the database after a soak; each complaint is a sentence, and a good run has no complaints."""

from collections import defaultdict
from collections.abc import Iterator

from psycopg2.extensions import connection as Connection

from tests.fleet import query
from tests.lab.soak.news import STORY, News

_MOST = 5  # Each kind of complaint shows at most _MOST examples.
_STORIES_OF_ITEMS = """SELECT r.external_id, o.outcome, o.story_id::text
    FROM raw_items AS r JOIN item_outcomes AS o ON o.raw_item_id = r.id WHERE o.story_id IS NOT NULL"""


def complaints(conn: Connection, news: News, asked: int) -> list[str]:
    """Return all faults found; ``asked`` counts what reached the model: questions, and texts sent for embedding."""
    return [*_items(conn, news), *_texts(conn, news), *_rows(conn), *_books(conn, asked)]


def _items(conn: Connection, news: News) -> Iterator[str]:
    """Every item must end with exactly one outcome, the planned one."""
    sql = """SELECT r.external_id, o.outcome, r.status, o.detail
        FROM raw_items AS r LEFT JOIN item_outcomes AS o ON o.raw_item_id = r.id"""
    found = {external_id: rest for external_id, *rest in query(conn, sql)}
    wrong = [f"{external_id}, which nobody published" for external_id in sorted(found.keys() - news.items.keys())]
    for external_id, item in news.items.items():
        outcome, status, detail = found.get(external_id, ("no item", None, None))
        wanted = {"stored", "duplicate"} if item.end == STORY else {item.end}
        if outcome not in wanted or status == "pending":
            planned = " or ".join(sorted(wanted))
            wrong.append(f"{external_id} ({item.kind}): expected {planned}, got {outcome}: {detail}")
    if wrong:
        yield f"{len(wrong)} items ended otherwise: {'; '.join(wrong[:_MOST])}"


def _texts(conn: Connection, news: News) -> Iterator[str]:
    """Each text must make one story; its other items are duplicates. Only texts and their edited copies share clusters."""
    by_text: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for external_id, outcome, story in query(conn, _STORIES_OF_ITEMS):
        if (item := news.items.get(external_id)) is not None:
            by_text[item.text].append((outcome, story))
    alike = {n: {story for _, story in by_text[n]} for n in news.texts}
    wrong = [n for n in news.texts if len(alike[n]) != 1 or [o for o, _ in by_text[n]].count("stored") != 1]
    if wrong:
        yield f"{len(wrong)} texts do not have exactly one story: {[(n, by_text[n]) for n in wrong[:_MOST]]}"
    counts = "SELECT count(*), count(DISTINCT content_hash) FROM stories JOIN contents c ON c.id = content_id"
    ((stories, hashes),) = query(conn, counts)
    if not stories == hashes == len(news.texts):
        yield f"expected {len(news.texts)} stories of as many texts, got {stories} of {hashes}"
    clusters = "SELECT array_agg(id::text) FROM stories WHERE cluster_id IS NOT NULL GROUP BY cluster_id"
    got = {frozenset(members) for (members,) in query(conn, clusters)}
    planned = {frozenset(alike[one] | alike[other]) for one, other in news.twins.items()}
    if got != planned:
        yield f"{len(planned - got)} pairs without a cluster of their own, {len(got - planned)} clusters that nobody planned"


def _rows(conn: Connection) -> Iterator[str]:
    for what, sql in {
        "stories without a model's analysis": """SELECT s.id FROM stories AS s LEFT JOIN story_overlays AS o ON o.story_id = s.id
            WHERE o.analysis_state IS DISTINCT FROM 'completed' OR o.why_it_matters IS NULL""",
        "stories without a brief": """SELECT s.id FROM stories AS s LEFT JOIN story_overlays AS o ON o.story_id = s.id
            WHERE o.brief_one_liner IS NULL OR o.brief_two_liner IS NULL OR o.brief_elevator IS NULL""",
        "stories without a summary": "SELECT id FROM stories WHERE summary IS NULL",
        "stories without the model's embedding": """SELECT s.id FROM stories AS s LEFT JOIN story_embeddings AS e ON e.story_id = s.id
            WHERE e.model_version IS DISTINCT FROM 'embedding-1@1536'""",
        # One in forty invented texts has no highlight: its only good sentence is the one-liner of its brief.
        "stories without the highlights that were found": """SELECT id::text FROM stories EXCEPT (SELECT story_id::text FROM highlights
            UNION SELECT message -> 'kwargs' ->> 'story_id' FROM zeke_jobs.queue
            WHERE task = 'extract-highlights' AND state = 'done' AND result ->> 'outcome' = 'nothing_found')""",
        "stories in which nothing was found, which is more than one in twenty": """WITH ended AS (
                SELECT message -> 'kwargs' ->> 'story_id' AS story, result ->> 'outcome' = 'nothing_found' AS is_empty
                FROM zeke_jobs.queue WHERE task = 'extract-highlights' AND state = 'done')
            SELECT story FROM ended
            WHERE is_empty AND (SELECT count(*) FILTER (WHERE is_empty) > greatest(1, count(*) / 20) FROM ended)""",
        "highlights without a score": "SELECT id FROM highlights WHERE NOT metadata ? 'relevance'",
        "highlights twice": "SELECT story_id FROM highlights GROUP BY story_id, metadata ->> 'key' HAVING count(*) > 1",
        "quotes that their story does not say": """SELECT o.story_id FROM story_overlays AS o JOIN stories AS s ON s.id = o.story_id
            JOIN contents AS c ON c.id = s.content_id, jsonb_array_elements(o.citations -> 'quotes') AS q
            WHERE strpos(c.text_body, q ->> 'text') = 0""",
        "jobs that did not complete": """SELECT concat_ws(' ', name, state, error ->> 'message') FROM zeke_jobs.job
            WHERE state NOT IN ('completed', 'cancelled')""",
    }.items():
        if found := query(conn, sql):
            yield f"{len(found)} {what}, such as {found[0][0]}"


def _books(conn: Connection, asked: int) -> Iterator[str]:
    """The ledger ai_calls has one row for every call that reached the model."""
    counts = "count(*) FILTER (WHERE outcome <> 'cached'), count(*) FILTER (WHERE outcome = 'open')"
    ((calls, opened),) = query(conn, f"SELECT {counts} FROM ai_calls")
    if not 0 <= calls - asked <= opened:
        yield f"expected a row for each of the model's {asked} calls, got {calls}, of which {opened} are open"
