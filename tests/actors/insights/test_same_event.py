"""Two outlets report one event in different words, while other events share people and places.

``same_event.txt`` has ten events: ``# `` begins an event, ``= `` a headline about the event, and ``! `` a headline
about another one. Authors of rules looked at the first five events only. With one half of the judged headlines the
thresholds were chosen, and the other half measures them.
"""

import itertools
import os
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from actors.ai import Settings
from actors.ai.hashing import MODEL_VERSION, embed
from actors.ai.protocol import Story
from actors.insights.analyze import analyze_story
from actors.insights.events import SIZE, EventSettings, _names_differ, like, of_model, sketch
from actors.schema import AnalyzeStory
from actors.store.embeddings import written
from tests.lab.events.__main__ import measure
from tests.lab.events.world import World
from tests.lab.quality import corpora
from tests.lab.quality.corpora import cosine
from zeke_jobs.postgres.pool import connect


@dataclass(frozen=True)
class Telling:
    event: str
    is_of_it: bool
    title: str
    document: str


def tellings() -> list[list[Telling]]:
    text = Path(__file__).with_name("same_event.txt").read_text(encoding="utf-8")
    found = []
    for part in text[2:].split("\n\n# "):
        event, *lines = part.strip().split("\n")
        pairs = zip(lines[::2], lines[1::2], strict=True)
        found.append([Telling(event, head.startswith("= "), head[2:], body) for head, body in pairs])
    return found


class Judge:
    """The provider is local, and also answers the question for the event: well, always the first story, or not at all."""

    def __init__(self, told: list[Telling], answers: str) -> None:
        self.ai = Settings().open()
        self.ai.same_event = None if answers == "no model" else self.judge
        self.asked = 0
        self.reached: set[str] = set()  # the events whose other telling is among the stories of a question
        self._event = {one.title: one.event if one.is_of_it else one.title for one in told}
        self._answers = answers

    def judge(self, story: Story, others: Sequence[Story], _: object) -> Story | None:
        self.asked += 1
        event = self._event[story.title]
        true = [other for other in others if self._event[other.title] == event]
        self.reached |= {event} if true else set()
        return others[0] if self._answers == "the first" else next(iter(true), None)


@pytest.mark.quality
@pytest.mark.parametrize("answers", ["no model", "well", "the first"])
@pytest.mark.parametrize("half", ["choosing", "reporting"])
def test_few_common_words_do_not_hide_one_event_nor_common_people_make_one(
    half: str, answers: str, add_story: Any, handler_context: Any, rows: Any, figure: Any
) -> None:
    told = [one for event in tellings()[slice(5) if half == "choosing" else slice(5, None)] for one in event]
    stories = [add_story(one.document, title=one.title) for one in told]
    judge = Judge(told, answers)
    jobs: list[dict[str, Any]] = [{"story_id": story} for story in stories]
    for job in jobs:
        ctx = handler_context(EventSettings(), ai=judge.ai)
        analyze_story(AnalyzeStory.model_validate(job), ctx)
        jobs += [one.payload for one in ctx.sent if one.task == "analyze-story"]
    cluster = {row["id"]: row["cluster_id"] for row in rows("SELECT id, cluster_id FROM stories")}
    found, wrong = 0, []
    for (one, mine), (other, its) in itertools.combinations(zip(told, stories, strict=True), 2):
        if cluster[str(mine)] is not None and cluster[str(mine)] == cluster[str(its)]:
            is_true = one.event == other.event and one.is_of_it and other.is_of_it
            found += is_true
            wrong += [] if is_true else [(one.title, other.title)]
    name = f"same event in other words ({half} half)"
    if answers == "the first":
        figure(f"{name}, a model that always names the first story: wrong pairs of 100", len(wrong), most=10)
        return
    assert wrong == []
    if answers == "no model":
        figure(f"{name}, found of 5", found / 5, before=0)
    else:
        figure(f"{name}, reach the question, of 5", len(judge.reached) / 5, 1)
        figure(f"{name}, found of 5 by a model that answers well", found / 5, 1)
        figure(f"{name}, questions for 15 stories", judge.asked, most=10)


CRANES = (
    "Port of Hallin closes two cranes",
    "The port of Hallin closed two cranes on Monday after inspectors found cracks.",
)


@pytest.mark.parametrize(
    ("other", "differ"),
    [
        (
            ("Cracks found in Hallin's harbour cranes", "Two cranes in Hallin harbour have been taken out of service."),
            False,
        ),
        (("Port of Corin closes two cranes", "The port of Corin closed two cranes on Monday."), True),
        (("Hallin and Corin join their ports", "The ports of Hallin and Corin become one on Monday."), False),
        (("Two cranes closed", "The port of Hallin closed two cranes."), False),
        (("两台起重机停运", "周一港口关闭了两台起重机。"), False),
        (("Hallin Port Closes Two Cranes After Cracks", "The port of Hallin closed two cranes."), False),
    ],
)
def test_names_of_two_headlines_tell_one_event_from_another(other: tuple[str, str], differ: bool) -> None:
    one, two = (Story(UUID(int=1), *told) for told in (CRANES, other))
    assert _names_differ(one, two) is _names_differ(two, one) is differ


def test_figures_alone_are_no_names() -> None:
    told = ("زلزال يضرب اسطنبول", "أصيب 12 شخصا في زلزال اسطنبول."), ("زلزال قوي", "أصيب 15 شخصا في زلزال اسطنبول.")
    one, two = (Story(UUID(int=1), *each) for each in told)
    assert not _names_differ(one, two)


KNOWN, ARRIVING = (800, 200) if os.environ.get("ZEKE_TEST_DEEP") else (200, 60)


@pytest.mark.quality
@pytest.mark.parametrize("has_pgvector", [True, False])
def test_terms_find_what_a_comparison_of_all_finds(
    database: str, world: World, figure: Callable[[str, float, float], None], has_pgvector: bool
) -> None:
    with closing(connect(database)) as conn, conn.cursor() as cursor:
        if not has_pgvector:
            cursor.execute("ALTER TABLE story_embeddings DROP COLUMN embedding, ADD COLUMN embedding real[] NOT NULL")
        world.load(conn)
    found = measure(database, world)
    assert found.pairs > 10
    way = "pgvector" if has_pgvector else "plain"
    figure(f"same event among {len(world.ids):,}, {way}, recall", found.recall, 0.98)
    figure(f"same event among {len(world.ids):,}, {way}, precision", found.precision, 1)


@pytest.fixture(scope="module")
def world() -> World:
    made = World.made(KNOWN, ARRIVING)
    made.ids = [uuid.UUID(int=place + 1) for place in range(KNOWN + ARRIVING)]
    return made


HEADLINES = corpora.CORPUS / "headlines"
EQUAL = 3.0  # A pair of headlines that people rated EQUAL or higher reports one event.


def halves() -> tuple[list[tuple[float, str, str]], list[tuple[float, str, str]]]:
    """Sort the pairs of headlines by text; return the even ones for choosing and the odd ones for measuring."""
    lines = [line for file in sorted(HEADLINES.glob("*.tsv")) for line in file.read_text(encoding="utf-8").splitlines()]
    parts = [line.split("\t") for line in lines]
    pairs = sorted(
        (a, b, float(judged)) for judged, a, b, *_ in (row for row in parts if len(row) > 2 and row[0].strip())
    )
    told = [(judged, a, b) for a, b, judged in pairs]
    return told[0::2], told[1::2]


def precision(pairs: list[tuple[float, str, str]], embed_text: Callable[[str], list[float]], least: float) -> float:
    hits = [judged for judged, a, b in pairs if cosine(embed_text(a), embed_text(b)) >= least]
    return sum(judged >= EQUAL for judged in hits) / len(hits)


@pytest.mark.quality
@pytest.mark.skipif(not HEADLINES.is_dir(), reason="the headline corpus is not beside this checkout")
def test_wordllama_is_as_precise_as_hashed_words(figure: Callable[[str, float, float], None]) -> None:
    pytest.importorskip("wordllama", reason="the extra local is not installed")
    from actors.ai.hashing import wordllama

    model, version = wordllama()
    choosing, reporting = halves()
    hashed = [precision(half, embed, of_model(MODEL_VERSION)[0]) for half in (choosing, reporting)]
    ours = [precision(half, model, of_model(version)[0]) for half in (choosing, reporting)]
    assert precision(choosing, model, of_model(version)[0] - 0.02) < hashed[0] <= ours[0], "no lower threshold does"
    figure("same event by headlines, hashed words, reporting half, precision", hashed[1], 0.79)
    figure("same event by headlines, wordllama, reporting half, precision", ours[1], 0.8)


def test_a_text_in_a_script_that_a_model_does_not_know_is_compared_with_no_other() -> None:
    def look(model: str, text: str) -> tuple[list[UUID], list[UUID]]:
        nowhere: Any = None  # Only a search would need a connection.
        story: Any = Story(UUID(int=1), "", text)
        return like(nowhere, story, written(model, (1.0,) * 1536), [], EventSettings())

    assert look("wordllama-0.4.0@256", "서울시는 내년부터 새로운 버스를 운행한다.") == ([], [])
    for model, text in (("wordllama-0.4.0@256", "The city buys buses."), (MODEL_VERSION, "서울시는 버스를 운행한다.")):
        with pytest.raises(AttributeError):
            look(model, text)


def test_a_model_without_a_threshold_of_its_own_has_the_common_one() -> None:
    models = ("hashed-words-1", "wordllama-0.4.0@256", "text-embedding-3@1536")
    assert [of_model(model)[0] for model in models] == [0.6, 0.8, 0.75]


def test_a_text_has_the_same_sketch_on_every_machine() -> None:
    assert sketch("Acme buys Initech")[:2] == [7981561506670418109, 9212416088607529387]


def test_scripts_without_spaces_share_groups_of_letters() -> None:
    one = "纽约时报中文网报道前高管揭露内幕配合北京开发审查工具"
    other = "前高管揭露内幕:为配合北京而开发的审查工具,纽约时报中文网称"
    assert len(set(sketch(one)) & set(sketch(other))) >= 5


def test_no_text_has_more_terms_than_are_kept() -> None:
    assert sketch("") == sketch("the of and") == []
    assert len(sketch(" ".join(f"word{n}" for n in range(3000)))) == SIZE
    assert len(sketch("\ud800 lone surrogate")) > 0
