"""Two outlets report one event in different words, while other events share people and places.

``same_event.txt`` has ten events: ``# `` begins an event, ``= `` a headline about it, and ``! `` a headline about
something else. The rules were developed on the first five events only. A corpus has headlines that people rated: one
half was used to choose the thresholds, and the tests measure precision on the other half.
"""

import os
from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection
from pydantic import ValidationError

from actors.ai import Settings
from actors.ai.hashing import MODEL_VERSION, embed, wordllama
from actors.ai.protocol import Embedding, Story
from actors.insights.events import SIZE, EventSettings, of_model, sketch
from tests.actors.database import execute
from tests.actors.insights.conftest import WITHOUT_PGVECTOR, model
from tests.lab.events.__main__ import measure
from tests.lab.events.world import World
from tests.lab.quality import corpora
from tests.lab.quality.corpora import cosine


@pytest.mark.quality
@pytest.mark.parametrize("answers", ["no model", "well", "the first"])
@pytest.mark.parametrize("half", ["choosing", "reporting"])
def test_few_common_words_do_not_hide_one_event(
    half: str, answers: str, add_story: Any, run_task: Any, conn: Connection, figure: Any
) -> None:
    event: dict[UUID, str] = {}  # each headline about another event has an event of its own
    parts = Path(__file__).with_name("same_event.txt").read_text(encoding="utf-8")[2:].split("\n\n# ")
    for part in parts[:5] if half == "choosing" else parts[5:]:
        name, *lines = part.strip().split("\n")
        for head, body in zip(lines[::2], lines[1::2], strict=True):
            event[add_story(body, title=head[2:])] = name if head[0] == "=" else head
    asked: list[UUID] = []
    reached: set[str] = set()  # the events of which a question offered another story

    def judge(story: Story, others: Sequence[Story], _: object) -> Story | None:
        asked.append(story.id)
        true = [other for other in others if event[other.id] == event[story.id]]
        reached.update(event[other.id] for other in true)
        return others[0] if answers == "the first" else next(iter(true), None)

    ai = Settings().open()
    ai.same_event = None if answers == "no model" else judge
    jobs: list[dict[str, Any]] = [{"story_id": story} for story in event]
    for job in jobs:
        jobs += [one.payload for one in run_task("analyze-story", job, ai=ai).sent if one.task == "analyze-story"]
    cluster = dict(execute(conn, "SELECT id, cluster_id FROM stories WHERE cluster_id IS NOT NULL"))
    pairs = [(one, other) for one, other in combinations(cluster, 2) if cluster[one] == cluster[other]]
    wrong = [(event[one], event[other]) for one, other in pairs if event[one] != event[other]]
    found = len(pairs) - len(wrong)
    name = f"same event in other words ({half} half)"
    if answers == "the first":
        figure(f"{name}, a model that always names the first story: wrong pairs of 100", len(wrong), most=10)
        return
    assert wrong == []
    if answers == "no model":
        figure(f"{name}, found of 5", found / 5, before=0)
    else:
        figure(f"{name}, reach the question, of 5", len(reached) / 5, 1)
        figure(f"{name}, found of 5 by a model that answers well", found / 5, 1)
        figure(f"{name}, questions for 15 stories", len(asked), most=10)


HALLIN = "Port of Hallin closes two cranes\nThe port of Hallin closed two cranes on Monday after it found cracks."
CORIN = "Port of Corin closes two cranes\nThe port of Corin closed two cranes on Monday."
CRACKS = "Cracks found in Hallin's harbour cranes\nTwo cranes in Hallin harbour have been taken out of service."
BOTH = "Hallin and Corin join their ports\nThe ports of Hallin and Corin become one on Monday."
CAPITALS = "Hallin Port Closes Two Cranes After Cracks\nThe port of Hallin closed two cranes."
NAMELESS = "Two cranes closed\nThe port closed two cranes."
BUS = "서울시는 버스를\n서울시는 내년부터 새로운 버스를 운행한다."
TOOL = "审查工具\n纽约时报中文网报道前高管揭露内幕配合北京开发审查工具"
QUAKE, QUAKE_TOO = "زلزال يضرب اسطنبول\nأصيب 12 شخصا في زلزال اسطنبول.", "زلزال قوي\nأصيب 15 شخصا في زلزال اسطنبول."
TOOL_TOO = "审查\n前高管揭露内幕:为配合北京而开发的审查工具"
COSINES = {
    "a model without a threshold of its own": ("text-embedding-3@1536", 0.74, 0.76, HALLIN, CORIN),
    "wordllama": ("wordllama-0.4.0@256", 0.79, 0.81, HALLIN, CORIN),
    "a script that wordllama does not know": ("wordllama-0.4.0@256", 1, None, BUS, BUS),
    "a script that hashed words know": (MODEL_VERSION, 0.59, 0.61, BUS, BUS),
    "a script without spaces": (MODEL_VERSION, 0.59, 0.61, TOOL, TOOL_TOO),
    "a name in common": (MODEL_VERSION, 0.59, 0.61, HALLIN, CRACKS),
    "a headline in capitals": (MODEL_VERSION, 0.59, 0.61, HALLIN, CAPITALS),
    "one of two names in common": (MODEL_VERSION, 0.59, 0.61, HALLIN, BOTH),
    "only one story has names": (MODEL_VERSION, 0.59, 0.61, HALLIN, NAMELESS),
    "figures are no names": (MODEL_VERSION, 0.59, 0.61, QUAKE, QUAKE_TOO),
    "other names": (MODEL_VERSION, 0.69, 0.71, HALLIN, CORIN),
    "other names, from the other side": (MODEL_VERSION, 0.69, 0.71, CORIN, HALLIN),
}


@pytest.mark.parametrize(("version", "below", "enough", "one", "other"), COSINES.values(), ids=COSINES)
def test_stories_tell_one_event_from_the_cosine_of_their_model(
    add_story: Any, analyse: Any, version: str, below: float, enough: float | None, one: str, other: str
) -> None:
    def found(text: str, *vector: float) -> int:
        title, document = text.split("\n")
        ai = model(Embedding((*vector, *[0.0] * (1536 - len(vector))), version))
        return int(analyse(add_story(document, title=title), ai=ai).output["same_event"])

    assert found(one, 1) == 0
    assert found(other, below, (1 - below**2) ** 0.5) == 0
    assert enough is None or found(other, enough, 0, (1 - enough**2) ** 0.5) == 1


KNOWN, ARRIVING = (800, 200) if os.environ.get("ZEKE_TEST_DEEP") else (200, 60)


@pytest.fixture(scope="module")
def world() -> World:
    made = World.made(KNOWN, ARRIVING)
    made.ids = [UUID(int=place + 1) for place in range(KNOWN + ARRIVING)]
    return made


@pytest.mark.quality
@pytest.mark.parametrize("way", ["pgvector", "plain"])
def test_terms_find_the_same_events(database: str, conn: Connection, world: World, figure: Any, way: str) -> None:
    if way == "plain":
        execute(conn, WITHOUT_PGVECTOR)
    world.load(conn)
    found = measure(database, world)
    assert found.pairs > 10
    figure(f"same event among {len(world.ids):,}, {way}, recall", found.recall, 0.98)
    figure(f"same event among {len(world.ids):,}, {way}, precision", found.precision, 1)


HEADLINES = corpora.CORPUS / "headlines"
EQUAL = 3.0  # A pair of headlines that people rated EQUAL or higher reports one event.


def precision(pairs: list[tuple[str, str, float]], embed_text: Callable[[str], list[float]], least: float) -> float:
    hits = [judged for a, b, judged in pairs if cosine(embed_text(a), embed_text(b)) >= least]
    return sum(judged >= EQUAL for judged in hits) / len(hits)


@pytest.mark.quality
@pytest.mark.skipif(not HEADLINES.is_dir(), reason="the headline corpus is not beside this checkout")
def test_wordllama_is_as_precise_as_hashed_words(figure: Any) -> None:
    lines = [line for file in HEADLINES.glob("*.tsv") for line in file.read_text(encoding="utf-8").splitlines()]
    told = (line.split("\t") for line in lines)
    pairs = sorted((row[1], row[2], float(row[0])) for row in told if len(row) > 2 and row[0].strip())
    choosing, reporting = pairs[0::2], pairs[1::2]
    hashed = [precision(half, embed, of_model(MODEL_VERSION)[0]) for half in (choosing, reporting)]
    figure("same event by headlines, hashed words, reporting half, precision", hashed[1], 0.79)
    pytest.importorskip("wordllama", reason="the extra local is not installed")
    embed_llama, version = wordllama()
    llama = cache(embed_llama)
    ours = [precision(half, llama, of_model(version)[0]) for half in (choosing, reporting)]
    assert precision(choosing, llama, of_model(version)[0] - 0.02) < hashed[0] <= ours[0], "no lower threshold does"
    figure("same event by headlines, wordllama, reporting half, precision", ours[1], 0.8)


def test_two_stories_of_one_event_are_at_most_a_year_apart() -> None:
    with pytest.raises(ValidationError, match="8760"):
        EventSettings(same_event_hours=8761)


def test_a_text_has_the_same_few_terms_on_every_machine() -> None:
    assert sketch("Acme buys Initech")[:2] == [7981561506670418109, 9212416088607529387]
    assert sketch("") == sketch("the of and") == []
    assert len(sketch(" ".join(f"word{n}" for n in range(3000)))) == SIZE
    assert len(sketch("\ud800 lone surrogate")) > 0
