"""A model says whether similar stories tell one event, if their embeddings are not near enough."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from actors.ai import Settings
from actors.ai.protocol import Unfounded
from actors.insights.analyze import analyze_story
from actors.insights.events import EventSettings, sketch
from actors.schema import AnalyzeStory
from tests.actors.ai.conftest import ModelServer, analyst, completion
from tests.actors.ai.provider import operation_of
from tests.actors.database import execute
from zeke_jobs import Retry
from zeke_jobs.errors import InvalidPayload
from zeke_jobs.testing import FakeContext

AGROUND = "The ferry Marisol ran aground off Castel Norre on Tuesday with 212 people on board. Nobody was hurt, said Blue Strait."
ASHORE = "Travellers of the Marisol spent a night on a sandbank. Blue Strait promised refunds to all who reached Castel Norre late."
ELECTRIC = "Blue Strait will sail electric ships to Castel Norre in two years. The pier gets plugs, and the fleet fewer funnels."
PRICES = {"m": {"input": 1.0, "output": 10.0}}
CALLS = (
    "SELECT operation, prompt, model_asked, outcome FROM ai_calls WHERE operation = 'same_event' ORDER BY created_at"
)
Judge = Callable[[str, list[str]], Any]


def first(text: str) -> str:
    return text.split(". ", maxsplit=1)[0]


def says(number: int, quote: str = first(AGROUND), other: str = first(ASHORE)) -> Judge:
    return lambda *_: {"quote": quote, "other": number, "other_quote": other}


def well(story: str, others: list[str]) -> Any:
    """Answer well: only AGROUND and ASHORE tell one event."""
    event = {AGROUND, ASHORE}
    number = next((at for at, other in enumerate(others, 1) if {story, other} == event), 0)
    return {"quote": first(story), "other": number, "other_quote": first(others[number - 1]) if number else ""}


class Model(ModelServer):
    """The model answers the question for the event by ``judge``, which gets the texts of the story and of the others."""

    def __init__(self) -> None:
        super().__init__()
        self.judge: Judge = well
        self.questions: list[list[str]] = []

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        if operation_of(body) != "same_event":
            return super().answer(path, body)
        assert self._schema_fault(body) is None
        story, *others = re.findall(r"Source: .*\n\n(.*)\n===", body["messages"][1]["content"])
        self.questions.append(others)
        return 200, {}, completion(self.judge(story, others))


@pytest.fixture
def model() -> Iterator[Model]:
    running = Model()
    yield running
    running.close()


@pytest.fixture
def tell(add_story: Any, handler_context: Any, model: Model) -> Callable[..., tuple[UUID, list[Any]]]:
    """Add a story and analyse it locally; return it, and the payloads of the jobs that ask for its event."""

    def go(text: str, **openai: Any) -> tuple[UUID, list[Any]]:
        story = add_story(text, title=" ".join(text.split()[:4]))
        ai = Settings().open()
        ai.same_event = analyst(model.url, **openai).same_event
        ctx = handler_context(EventSettings(), ai=ai)
        analyze_story(AnalyzeStory(story_id=story), ctx)
        return story, [one.payload for one in ctx.sent if one.task == "analyze-story"]

    return go


@pytest.fixture
def ask(handler_context: Any, model: Model) -> Callable[..., Any]:
    """Run a job that asks for an event, and return its context."""

    def go(payload: Any, *, fails: bool = False, **openai: Any) -> Any:
        ctx = handler_context(EventSettings(), ai=analyst(model.url, prices=PRICES, **openai))
        ctx.fail_at_commit = fails
        analyze_story(AnalyzeStory.model_validate(payload), ctx)
        return ctx

    return go


@pytest.fixture
def events(rows: Any) -> Callable[[], list[int]]:
    """Return the number of stories of each event."""
    return lambda: [row["metrics"]["stories"] for row in rows("SELECT metrics FROM story_clusters")]


def test_a_model_finds_the_event_that_a_story_tells_in_other_words(
    tell: Any, ask: Any, rows: Any, events: Any, model: Model
) -> None:
    (aground, _), (electric, _), (ashore, (payload,)) = tell(AGROUND), tell(ELECTRIC), tell(ASHORE)
    assert payload["others"] == [str(aground), str(electric)], "the most similar first"
    ctx = ask(payload)
    together = rows("SELECT id FROM stories WHERE cluster_id IS NOT NULL")
    assert {row["id"] for row in together} == {str(aground), str(ashore)}
    assert (events(), ctx.output) == ([2], {"outcome": "rescored", "stories": 2})
    assert rows(CALLS)[-1] == {"operation": "same_event", "prompt": "same_event/1", "model_asked": "m", "outcome": "ok"}
    assert float(ctx.cost) == 1000 * 1e-6 + 100 * 10e-6


@pytest.mark.parametrize(
    ("judge", "error"),
    [
        (says(0), None),
        (says(3), Unfounded),
        (says(-1), Unfounded),
        (says(1, quote="The ferry Marisol sank"), Unfounded),
        (says(1, other="The ferry Marisol ran aground"), Unfounded),
        (lambda *_: "They are the same.", Retry),
    ],
)
def test_an_answer_that_names_or_shows_no_other_story_joins_nothing(
    tell: Any, ask: Any, events: Any, model: Model, judge: Judge, error: Any
) -> None:
    model.judge = judge
    tell(ASHORE)
    _, (payload,) = tell(AGROUND)
    if error is None:
        ask(payload)
    else:
        with pytest.raises(error):
            ask(payload)
    assert events() == []


def test_two_stories_that_ask_for_each_other_tell_one_event(tell: Any, ask: Any, events: Any) -> None:
    tell(AGROUND)
    ashore, (payload,) = tell(ASHORE)
    (aground,) = payload["others"]
    ask({"story_id": aground, "trigger": "alone", "others": [str(ashore)]})
    ask(payload)
    assert events() == [2]


def test_a_retry_does_not_pay_again_for_an_answer(tell: Any, ask: Any, events: Any, model: Model) -> None:
    tell(AGROUND)
    _, (payload,) = tell(ASHORE)
    with pytest.raises(ConnectionError):
        ask(payload, fails=True)
    tell(ELECTRIC)
    ask(payload)
    assert (len(model.questions), events()) == (1, [2])


def test_a_setting_names_a_cheaper_model_or_switches_the_question_off(tell: Any, ask: Any, rows: Any) -> None:
    aground, _ = tell(AGROUND, same_event=False)
    assert {row["term"] for row in rows("SELECT term FROM story_terms")} == set(
        sketch(f"The ferry Marisol ran\n{AGROUND}")
    )
    ashore, jobs = tell(ASHORE, same_event=False)
    assert jobs == []
    payload = {"story_id": ashore, "trigger": "alone", "others": [aground]}
    ask(payload, same_event=False)
    assert rows(CALLS) == []
    ask(payload, same_event="small")
    assert [row["model_asked"] for row in rows(CALLS)] == ["small"]


def test_five_stories_of_different_events_are_asked_about(tell: Any, conn: Any, model: Model) -> None:
    texts = [
        f"{ELECTRIC} Report {number} of {word}."
        for number, word in enumerate(["Ana", "Ben", "Cleo", "Dan", "Eve", "Fay", "Gus"])
    ]
    stories = [tell(text)[0] for text in texts]
    execute(conn, "UPDATE stories SET cluster_id = NULL")
    execute(conn, "DELETE FROM story_clusters")
    _, (payload,) = tell(ASHORE)
    assert len(payload["others"]) == 5 == len({*payload["others"]} & {*map(str, stories)})
    execute(conn, "DELETE FROM stories WHERE title LIKE 'Travellers%%'")
    for story in stories:
        execute(conn, "INSERT INTO story_clusters (cluster_key) VALUES ('one') ON CONFLICT DO NOTHING")
        execute(conn, "UPDATE stories SET cluster_id = (SELECT id FROM story_clusters) WHERE id = %s", story)
    assert len(tell(ASHORE)[1][0]["others"]) == 1


def test_no_question_is_asked_about_stories_that_are_gone(tell: Any, ask: Any, conn: Any, model: Model) -> None:
    gone, _ = tell(AGROUND)
    _, (payload,) = tell(ASHORE)
    execute(conn, "DELETE FROM stories WHERE id = %s", gone)
    assert ask(payload).output["outcome"] == "unchanged"
    assert model.questions == []


def test_an_analysis_is_kept_while_a_worker_with_older_code_refuses_the_question(
    tell: Any, monkeypatch: pytest.MonkeyPatch, rows: Any
) -> None:
    tell(AGROUND)

    def send(_: Any, task: str, *__: Any, **___: Any) -> None:
        if task == "analyze-story":
            raise InvalidPayload("trigger: expected auto, manual, retry or grown, got alone")

    monkeypatch.setattr(FakeContext, "send", send)
    tell(ASHORE)
    assert rows("SELECT DISTINCT analysis_state FROM story_overlays") == [{"analysis_state": "extractive"}]
    assert len(rows("SELECT FROM story_overlays")) == 2
