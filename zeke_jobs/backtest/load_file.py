"""A described load instead of a recorded one: each task's rate of sends, durations of jobs, and follow-ups."""

from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from zeke_jobs.config.diagnostics import summary
from zeke_jobs.config.document import parse
from zeke_jobs.config.entries import EntryError, PositiveDuration, RateText
from zeke_jobs.config.keys import Keys, key
from zeke_jobs.config.models import Config
from zeke_jobs.config.places import Document
from zeke_jobs.config.reading import read
from zeke_jobs.config.validation import note_missing
from zeke_jobs.core.duration_field import Duration
from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.errors import ConfigurationError

_EXAMPLE = "tasks: {my-task: {rate: 60/h, takes: 2s}}"
_MOST_HOURS = 24 * 7

Number = Annotated[float, Field(ge=0, le=1_000_000)]


class TakesStanza(Keys):
    """How long attempts take: always the same, evenly between two bounds, or log-normal, as most real ones do."""

    called = "takes"
    short_form = ("always", str, "a duration")

    always: PositiveDuration | None = key(None, "All the same.", "always: 2s")
    least: Duration | None = key(None, "Evenly between this and `most`.", "least: 1s")
    most: PositiveDuration | None = key(None, "Evenly up to this.", "most: 5s")
    median: PositiveDuration | None = key(None, "Half of them take longer; log-normal, with `p95`.", "median: 2s")
    p95: PositiveDuration | None = key(None, "A twentieth take longer.", "p95: 10s")

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        given = self.model_fields_set
        if given not in ({"always"}, {"least", "most"}, {"median", "p95"}):
            got = ", ".join(sorted(given)) or "nothing"
            fault = f"expected always, or least and most, or median and p95, got {got}"
            raise EntryError(fault, "for example takes: 2s")
        low, high = self.least or self.median, self.most or self.p95
        if low is not None and high is not None and low > high:
            fault = f"expected the lower bound first, got {' above '.join(sorted(given))}"
            raise EntryError(fault, "exchange the two")
        return self


class SentStanza(Keys):
    """How often jobs of a task are sent, how long they take, and how they end."""

    called = "a load"
    required = ("takes",)

    rate: RateText | None = key(None, "Jobs sent in a time, at random moments.", "rate: 60/h")
    hourly: Annotated[list[Number], Field(min_length=1, max_length=_MOST_HOURS)] | None = key(
        None, "Jobs sent in each hour from the beginning; the list repeats.", "hourly: [10, 10, 200, 50]"
    )
    takes: TakesStanza | None = key(None, "How long an attempt takes.", "takes: {median: 2s, p95: 10s}")
    fails: Annotated[float, Field(ge=0, lt=1)] = key(
        0.0, "Share of attempts that fail and are retried, 0 to 1.", "fails: 0.02"
    )
    keys: Annotated[int, Field(ge=1, le=1_000_000)] | None = key(None, "Number of different keys.", "keys: 50")
    sends: dict[str, Number] = key(
        {}, "Number of jobs of other tasks that each job sends.", "sends: {my-other-task: 3}"
    )
    cost: Annotated[float, Field(ge=0)] | None = key(None, "Cost of a job.", "cost: 0.01")


class LoadStanza(Keys):
    """The whole file."""

    called = "the file"
    required = ("version", "tasks")

    version: Literal[1] | None = key(None, "Version of this format.", "version: 1")
    length: PositiveDuration = key(timedelta(days=1), "For how long jobs are sent.", "length: 1d")
    tasks: dict[str, SentStanza] = key({}, "The load of each task.", _EXAMPLE)


def load_text(text: str, name: str, config: Config) -> LoadStanza:
    """Read a text that describes a load of the tasks of ``config``.

    Raises:
        ConfigurationError: the text has faults; the message has each with its place.
    """
    document = parse(text, name)
    found = read(document, LoadStanza, f"for example {_EXAMPLE}") if document.is_whole else None
    if found is not None:
        _check(document, found, config)
    if faults := document.diagnostics():
        raise ConfigurationError(summary(faults), faults)
    assert found is not None
    return found


def _check(document: Document, stanza: LoadStanza, config: Config) -> None:
    note_missing(document, LoadStanza)
    for name, one in stanza.tasks.items():
        path = ("tasks", name)
        for place, task in [(path, name), *(((*path, "sends", sent), sent) for sent in one.sends)]:
            if config.task(task) is None:
                text = f"expected a task of jobs.yaml, got {quote(task)}"
                document.refuse_key(place, text, suggest(task, list(config.tasks), what="tasks"))
        if one.rate is not None and one.hourly is not None:
            document.refuse_key((*path, "hourly"), "expected rate or hourly, got both", "keep one")
    sends = {name: [sent for sent, count in one.sends.items() if count] for name, one in stanza.tasks.items()}
    try:
        TopologicalSorter(sends).prepare()
    except CycleError as error:  # the load would never end
        start = next(name for name in sends if name in error.args[1])
        text = f"expected jobs of {start} to send no further ones of {start} in the end, got a circle"
        document.refuse_key(("tasks", start, "sends"), text)
