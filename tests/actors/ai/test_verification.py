"""A model verifies the answers of a model, and may itself be right, be wrong, or cite other sentences."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.ai.gate.evidence import evidence, keys
from actors.ai.protocol import Story, Unfounded
from actors.cli.story import _made_by
from tests.actors.ai.conftest import Books, ModelServer, analyst, completion
from tests.actors.ai.gate.told import stories
from tests.actors.ai.provider import checks_of, operation_of
from tests.figures import Figure
from tests.lab.quality.corpora import WHOLE
from zeke_jobs import Retry

STORY = Story(
    uuid.UUID(int=1),
    "Orbis cuts the memory of its mills",
    "Orbis cuts the memory of its mills by 12 percent. The change may break old docks. Ida Brandt paid 3 crowns to Ken Holt. "
    "Nobody was hurt without a helmet.",
)
TRUE = "Orbis cuts memory by 12 percent."
FALSE = "The change breaks old docks."
LEANS = "Then nobody was hurt without a helmet."


class Verifier(ModelServer):
    """The model answers with ``says``, and verifies with ``judge``, which maps a statement to (follows, sentences)."""

    def __init__(self) -> None:
        super().__init__()
        self.says: dict[str, Any] = {}
        self.judge: Callable[[str], tuple[bool, list[str]]] = lambda _: (False, [])

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        if self.script:
            return self.script.popleft()(body)
        if operation_of(body) != "verify":
            return 200, {}, completion(self.says)
        assert self._schema_fault(body) is None
        return 200, {}, completion(checks_of(body["messages"][1]["content"], self.judge))


@pytest.fixture(scope="module")
def server() -> Iterator[Verifier]:
    with Verifier() as running:
        yield running


@pytest.fixture
def ask(server: Verifier) -> Iterator[Callable[..., Any]]:
    """Summarise a story for which the model gives this answer; return the summary, or the raised Unfounded."""
    analysts: dict[str, Any] = {}

    def go(said: str, story: Story = STORY, books: Books | None = None, **options: Any) -> Any:
        server.says = {"summary": said}
        key = json.dumps(options)
        if key not in analysts:
            prices = {"m": {"input": 1, "output": 10}}
            analysts[key] = analyst(server.url, **{"prices": prices, "verify": True, **options})
        try:
            return analysts[key].summarize(story, books or Books())
        except Unfounded as unfounded:
            return unfounded

    yield go
    server.script.clear()


def test_what_does_not_follow_is_not_stored_and_if_nothing_does_the_local_text_stays(
    ask: Any, server: Verifier
) -> None:
    shown = {TRUE: STORY.document.split(". ")[0] + ".", LEANS: "Nobody was hurt without a helmet."}
    server.judge = lambda text: (text in shown, [shown.get(text, "")])
    books = Books()
    assert ask(f"{TRUE} {LEANS}").text == f"{TRUE} {LEANS}"
    summary = ask(f"{TRUE} {FALSE} {LEANS}", books=books)
    assert (summary.text, summary.made_by.checked) == (TRUE, "verified")
    assert [call.prompt for call in books.calls] == ["summarize/1", "verify/1"]
    bounds = [asked["body"]["max_completion_tokens"] for asked in server.asked[-2:]]
    assert bounds == [1000, 2000], "the sentences that it copies may be longer than the answer"
    for call, end, most in zip(books.calls, books.ended, bounds, strict=True):
        assert (call.cost or 0) > most * 10e-6 > (end.cost or 1) / 2
    overlay = {"citations": {"summary": {"model": "m", "checked": "verified"}}, "analysis_state": ""}
    assert _made_by(overlay, "summary") == "by m, verified"
    server.judge = lambda _: (False, [])
    for said in ("The memory of the mills rose by 12 percent.", "Ken Holt paid 3 crowns to Ida Brandt."):
        assert ask(said, verify=False).text == said, "an opposite or a swap passes the rules"
        assert isinstance(ask(said), Unfounded)
    books = Books()
    found = ask(FALSE, books=books)
    assert isinstance(found, Unfounded)
    assert found.instead.made_by.provider == "local"
    assert [call.operation for call in books.calls] == ["summarize", "verify", "summarize", "verify"]


def test_one_question_and_one_verification_give_analysis_brief_and_summary(server: Verifier) -> None:
    shown = {TRUE: STORY.document.split(". ")[0] + ".", LEANS: "Nobody was hurt without a helmet."}
    server.judge = lambda text: (text in shown, [shown.get(text, "")])
    asked = analyst(server.url, verify=True)
    analysis = {"why_it_matters": TRUE, "chili": 3, "confidence": 0.8, "quotes": [shown[TRUE]]}
    brief = {"one_liner": TRUE, "two_liner": f"{TRUE} {LEANS}", "elevator": f"{TRUE} {FALSE}"}

    def told(**said: Any) -> Any:
        server.says, books = {**analysis, **brief, "summary": f"{TRUE} {LEANS}", **said}, Books()
        made = asked.analyze(STORY, books)
        assert [call.prompt for call in books.calls] == ["analyze/2", "verify/1"]
        assert made.why_it_matters == TRUE
        return made

    whole = told()
    assert whole.brief.parts == {"one_liner": TRUE, "two_liner": f"{TRUE} {LEANS}", "elevator": TRUE}
    assert (whole.summary.text, whole.summary.made_by) == (f"{TRUE} {LEANS}", whole.made_by)
    assert whole.made_by.checked == whole.brief.made_by.checked == "verified"
    for wrong in ("Orbis cuts memory by 13 percent.", FALSE, "", "x" * 3001, None, [TRUE]):
        assert (told(summary=wrong).summary, told(one_liner=wrong).summary.text) == (None, f"{TRUE} {LEANS}")
    assert told(one_liner="Orbis cuts memory by 13 percent.").brief is None


def test_a_setting_names_a_cheaper_model_or_switches_it_off(ask: Callable[..., Any], server: Verifier) -> None:
    server.judge = lambda _: (True, ["Orbis cuts the memory of its mills by 12 percent."])
    cheaper, off = Books(), Books()
    assert ask(TRUE, books=cheaper, verify="small").made_by.checked == "verified"
    assert [call.model for call in cheaper.calls] == ["m", "small"]
    assert ask(TRUE, books=off, verify=False).made_by.checked == "by rule"
    assert [call.operation for call in off.calls] == ["summarize"]


def test_a_verification_that_fails_is_retried_without_asking_for_the_answer_again(ask: Any, server: Verifier) -> None:
    server.judge = lambda _: (True, ["Orbis cuts the memory of its mills by 12 percent."])
    for status, answer in ((200, completion({"summary": TRUE})), (500, {}), (200, completion("?"))):
        server.script.append(lambda _, said=(status, {}, answer): said)  # type: ignore[misc]
    books = Books()
    for _ in range(2):
        with pytest.raises(Retry):
            ask(TRUE, books=books)
    assert ask(TRUE, books=books).text == TRUE
    assert ask(TRUE, books=books).text == TRUE
    assert [call.operation for call in books.calls] == ["summarize", "verify"] * 4
    outcomes = [end.outcome for end in books.ended]
    assert outcomes[::2] == ["ok", "cached", "cached", "cached"]
    assert outcomes[1::2] == ["failed", "invalid", "ok", "cached"]


@pytest.mark.parametrize(
    ("statement", "cited"),
    [
        (TRUE, []),
        (TRUE, ["Orbis cuts memory by 12 percent."]),
        (TRUE, ["Orbis"]),
        *((said, ["Nobody was hurt without a helmet."]) for said in (TRUE, FALSE)),
        ("Ken Holt paid 12 percent for the docks.", ["Nobody was hurt without a helmet."]),
        (TRUE, ["Orbis cuts the memory of its mills by 12 percent.", "Orbis says so itself."]),
    ],
)
def test_a_verdict_counts_only_with_sentences_of_the_story_that_have_its_words_and_numbers(
    ask: Callable[..., Any], server: Verifier, statement: str, cited: list[str]
) -> None:
    server.judge = lambda _: (True, cited)
    assert isinstance(ask(statement), Unfounded)


def test_two_verdicts_on_a_statement_or_none_are_no_verdict(ask: Callable[..., Any], server: Verifier) -> None:
    good = {"follows": True, "sentences": ["Orbis cuts the memory of its mills by 12 percent."]}
    for numbers in ([1, 1], [2], []):
        checks = [{"statement": number, **good} for number in numbers]
        said: list[Any] = [{"summary": TRUE}, {"checks": checks}] * 2
        for answer in map(completion, said):
            server.script.append(lambda _, answer=answer: (200, {}, answer))  # type: ignore[misc]
        assert isinstance(ask(TRUE, cache=False), Unfounded), numbers


@pytest.mark.quality
@pytest.mark.parametrize("half", ["frozen", "held-out"])
def test_honest_answers_are_kept_by_a_verifier_that_knows_and_others_by_one_that_invents_are_not(
    ask: Callable[..., Any], server: Verifier, half: str, figure: Figure
) -> None:
    kept: list[bool] = []
    for told in stories(half)[:: 1 if WHOLE else 2]:
        story = Story(uuid.UUID(int=1), told.title, told.text)
        sentences = evidence(story).sentences[1:]
        server.judge = lambda said: (True, sorted(sentences, key=lambda one: -len(keys(one) & keys(said)))[:3])  # noqa: B023
        kept += [not isinstance(ask(text, story, cache=False), Unfounded) for text in told.honest]
        server.judge = lambda said: (True, [f"{said} So it is."])
        assert all(isinstance(ask(text, story, cache=False), Unfounded) for _, text in told.forged)
    figure(f"{half}, verified by who knows: honest answers kept", sum(kept) / len(kept), 0.95)
