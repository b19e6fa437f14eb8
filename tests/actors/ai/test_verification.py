"""One model verifies the answers of another; it may be right, be wrong, or cite sentences that are not in the story."""

import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from actors.ai.gate.evidence import evidence, keys
from actors.ai.protocol import Story, Unfounded
from actors.cli.story import _made_by
from tests.actors.ai.conftest import Books, ModelServer, analyst, completion
from tests.actors.ai.gate.told import stories
from tests.actors.ai.provider import checks_of
from tests.each import cases
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


@pytest.fixture
def judge(model_server: ModelServer) -> Callable[..., None]:
    """Let a function answer verification: whether a statement follows from the story, and from which sentences."""
    return lambda judge: model_server.says.update(verify=partial(checks_of, judge=judge))


@pytest.fixture
def ask(model_server: ModelServer) -> Callable[..., Any]:
    """Summarise a story with a model that answers ``said``; return the summary, or the exception Unfounded."""

    def go(said: str, story: Story = STORY, books: Books | None = None, **options: Any) -> Any:
        model_server.says["summarize"] = {"summary": said}
        prices = {"m": {"input": 1, "output": 10}}
        asked = analyst(model_server.url, **{"prices": prices, "verify": True, **options})
        try:
            return asked.summarize(story, books or Books())
        except Unfounded as unfounded:
            return unfounded

    return go


def test_what_does_not_follow_is_not_stored(ask: Any, judge: Any, model_server: ModelServer) -> None:
    shown = {TRUE: STORY.document.split(". ")[0] + ".", LEANS: "Nobody was hurt without a helmet."}
    judge(lambda text: (text in shown, [shown.get(text, "")]))
    books = Books()
    assert ask(f"{TRUE} {LEANS}").text == f"{TRUE} {LEANS}"
    summary = ask(f"{TRUE} {FALSE} {LEANS}", books=books)
    assert (summary.text, summary.made_by.checked) == (TRUE, "verified")
    assert [call.prompt for call in books.calls] == ["summarize/1", "verify/1"]
    bounds = [asked["body"]["max_completion_tokens"] for asked in model_server.asked[-2:]]
    assert bounds == [1000, 2000], "the sentences that it copies may be longer than the answer"
    for call, end, most in zip(books.calls, books.ended, bounds, strict=True):
        assert (call.cost or 0) > most * 10e-6 > (end.cost or 1) / 2
    overlay = {"citations": {"summary": {"model": "m", "checked": "verified"}}, "analysis_state": ""}
    assert _made_by(overlay, "summary") == "by m, verified"
    judge(lambda _: (False, []))
    for said in ("The memory of the mills rose by 12 percent.", "Ken Holt paid 3 crowns to Ida Brandt."):
        assert ask(said, verify=False).text == said, "an opposite or a swap passes the rules"
        assert isinstance(ask(said), Unfounded)
    books = Books()
    found = ask(FALSE, books=books)
    assert isinstance(found, Unfounded)
    assert found.instead.made_by.provider == "local"
    assert [call.operation for call in books.calls] == ["summarize", "verify", "summarize", "verify"]


def test_one_question_and_one_verification_give_all_texts(model_server: ModelServer, judge: Any) -> None:
    shown = {TRUE: STORY.document.split(". ")[0] + ".", LEANS: "Nobody was hurt without a helmet."}
    judge(lambda text: (text in shown, [shown.get(text, "")]))
    asked = analyst(model_server.url, verify=True)
    analysis = {"why_it_matters": TRUE, "chili": 3, "confidence": 0.8, "quotes": [shown[TRUE]]}
    brief = {"one_liner": TRUE, "two_liner": f"{TRUE} {LEANS}", "elevator": f"{TRUE} {FALSE}"}

    def told(**said: Any) -> Any:
        model_server.says["analyze"], books = {**analysis, **brief, "summary": f"{TRUE} {LEANS}", **said}, Books()
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


def test_a_setting_names_a_cheaper_model_or_switches_it_off(ask: Any, judge: Any) -> None:
    judge(lambda _: (True, ["Orbis cuts the memory of its mills by 12 percent."]))
    cheaper, off = Books(), Books()
    assert ask(TRUE, books=cheaper, verify="small").made_by.checked == "verified"
    assert [call.model for call in cheaper.calls] == ["m", "small"]
    assert ask(TRUE, books=off, verify=False).made_by.checked == "by rule"
    assert [call.operation for call in off.calls] == ["summarize"]


def test_a_failed_verification_is_retried_without_a_new_answer(ask: Any, judge: Any, model_server: ModelServer) -> None:
    judge(lambda _: (True, ["Orbis cuts the memory of its mills by 12 percent."]))
    for status, answer in ((200, completion({"summary": TRUE})), (500, {}), (200, completion("?"))):
        model_server.script.append(lambda _, said=(status, {}, answer): said)  # type: ignore[misc]
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


@cases(
    "statement cited",
    (TRUE, []),
    (TRUE, ["Orbis cuts memory by 12 percent."]),
    (TRUE, ["Orbis"]),
    *((said, ["Nobody was hurt without a helmet."]) for said in (TRUE, FALSE)),
    ("Ken Holt paid 12 percent for the docks.", ["Nobody was hurt without a helmet."]),
    (TRUE, ["Orbis cuts the memory of its mills by 12 percent.", "Orbis says so itself."]),
)
def test_a_verdict_needs_the_storys_sentences(ask: Any, judge: Any, statement: str, cited: list[str]) -> None:
    judge(lambda _: (True, cited))
    assert isinstance(ask(statement), Unfounded)


def test_two_verdicts_on_a_statement_or_none_are_no_verdict(ask: Any, model_server: ModelServer) -> None:
    good = {"follows": True, "sentences": ["Orbis cuts the memory of its mills by 12 percent."]}
    for numbers in ([1, 1], [2], []):
        checks = [{"statement": number, **good} for number in numbers]
        said: list[Any] = [{"summary": TRUE}, {"checks": checks}] * 2
        for answer in map(completion, said):
            model_server.script.append(lambda _, answer=answer: (200, {}, answer))  # type: ignore[misc]
        assert isinstance(ask(TRUE, cache=False), Unfounded), numbers


@pytest.mark.quality
@pytest.mark.parametrize("half", ["frozen", "held-out"])
def test_honest_answers_are_kept_and_invented_proofs_are_not(ask: Any, judge: Any, half: str, figure: Figure) -> None:
    kept: list[bool] = []
    for told in stories(half)[:: 1 if WHOLE else 2]:
        story = Story(uuid.UUID(int=1), told.title, told.text)
        sentences = evidence(story).sentences[1:]
        judge(lambda said: (True, sorted(sentences, key=lambda one: -len(keys(one) & keys(said)))[:3]))  # noqa: B023
        kept += [not isinstance(ask(text, story, cache=False), Unfounded) for text in told.honest]
        judge(lambda said: (True, [f"{said} So it is."]))
        assert all(isinstance(ask(text, story, cache=False), Unfounded) for _, text in told.forged)
    figure(f"{half}, verified by who knows: honest answers kept", sum(kept) / len(kept), 0.95)
