"""Writes the logs of workers, scheduler and command line: JSON for machines, readable lines on a terminal."""

import io
import json as _json
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from zeke_jobs.core import environment, redaction
from zeke_jobs.core.quoting import indented, visible, visible_json

# These loggers write a line for each HTTP request at INFO, which adds nothing to the job's own log lines.
_CHATTY = ("httpx", "httpcore", "urllib3")
_LONGEST_LINE = 2_000  # maximum number of characters of a line stored with a job
_PLAIN = (int, float, bool, type(None))
_OF_A_JOB = ("task", "job_id", "attempt", "logger", "trace_id")
_HEAD = ("timestamp", "level", "logger", "event", "task", "job_id")
_NO_FIELDS = {*_OF_A_JOB, *_HEAD, "exc_info", "exception", "stack"}


def configure(stream: TextIO | None = None, *, json: bool | None = None) -> None:
    """From now on, write log lines of structlog and of standard logging (dramatiq, periodiq) in one format.

    ``stream``: by default ``sys.stderr``, which in a worker is Dramatiq's pipe to its main process. ``json``: by default
    ``is_json()``. Raises ConfigurationError if the environment names an unknown format or level.
    """
    as_json = is_json() if json is None else json
    level = logging.getLevelNamesMapping()[environment.log_level().upper()]
    handler = logging.StreamHandler(stream or sys.stderr)
    if as_json:
        last: list[Processor] = [
            lambda _logger, _method, event: {**{key: event[key] for key in _HEAD if key in event}, **event},
            structlog.processors.format_exc_info,  # without local variables, because they hold payloads and secrets
            structlog.processors.JSONRenderer(
                lambda *of, **how: visible_json(_json.dumps(*of, **how)), default=str, ensure_ascii=False
            ),
        ]
    else:
        wanted = environment.lookup("FORCE_COLOR") or os.isatty(2)
        last = [_one_line, _renderer(colors=bool(wanted) and not environment.lookup("NO_COLOR"))]
    masking = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _masked, *last]
    masking.append(lambda _logger, _method, line: redaction.redact(cast("str", line)))
    chain: list[Processor] = [*_common(as_json=as_json), structlog.stdlib.ExtraAdder()]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=chain, processors=masking))
    handler.addFilter(_says_something)
    logging.basicConfig(handlers=[handler, _Capturing()], level=level, force=True)
    logging.captureWarnings(capture=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*_common(as_json=as_json), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a second configure() must change existing loggers too
    )


class Captured:
    """Keeps a job's last log lines. ``count`` counts all lines. If ``always``, they are stored even after success."""

    def __init__(self, most: int, *, always: bool = False) -> None:
        self.always = always
        self.count = 0
        self._lines: deque[str | EventDict] = deque(maxlen=most)
        self._context = copy_context()  # the context has the sensitive values to mask
        self._lock = threading.Lock()  # one thread adds lines, another thread reads them

    def add(self, line: str | EventDict) -> None:
        """Add a log line: its text, or an event of structlog that ``read`` turns into text."""
        with self._lock:
            self._lines.append(line)
            self.count += 1

    def read(self) -> tuple[str, int]:
        """Return the lines, and the number of earlier lines that were dropped."""
        with self._lock:
            texts = [one if isinstance(one, str) else self._context.run(_text, one) for one in self._lines]
            return "\n".join(texts), self.count - len(texts)


_captured: ContextVar[Captured | None] = ContextVar("captured", default=None)


@contextmanager
def capturing(most: int, *, always: bool = False) -> Iterator[Captured]:
    """Keep the last lines that this thread and its asyncio tasks log during the block."""
    captured = Captured(most, always=always)
    token = _captured.set(captured)
    try:
        yield captured
    finally:
        _captured.reset(token)


class _Capturing(logging.Handler):
    """Captures each log line. Most lines are never read, so if ``_may_wait``, a text is made only when it is read."""

    def __init__(self) -> None:
        super().__init__()
        self._chain: list[Processor] = [*_common(as_json=False), structlog.stdlib.ExtraAdder()]

    def emit(self, record: logging.LogRecord) -> None:
        captured = _captured.get()
        if captured is not None:
            try:
                event = self._event(record)
                captured.add(event if _may_wait(event) else _text(event))
            except Exception:  # noqa: BLE001 (the line is lost, and the job goes on, as in the standard library)
                self.handleError(record)

    def _event(self, record: logging.LogRecord) -> EventDict:
        if isinstance(record.msg, dict) and hasattr(record, "_logger"):
            return record.msg  # the message comes from structlog
        event: Any = {"event": record.getMessage(), "exc_info": record.exc_info, "stack_info": record.stack_info}
        event["_record"] = record
        for processor in self._chain:
            event = processor(None, record.levelname.lower(), event)
        del event["_record"]
        return cast("EventDict", event)


def _masked(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Mask sensitive fields by their names. Values in a message or an exception are masked later, in the text of the line."""
    name = str(event.get("logger"))
    if name.startswith("zeke_jobs.") and name != "zeke_jobs.job":
        return event  # lines of zeke_jobs may use a field's name with another meaning
    return {key: value if key in _NO_FIELDS else redaction.shown(key, value) for key, value in event.items()}


def _may_wait(event: EventDict) -> bool:
    """Return whether the text of a log line can be made later, because all values are small and immutable."""
    return not event.get("exc_info") and all(
        type(value) in _PLAIN or (type(value) is str and len(value) <= _LONGEST_LINE) for value in event.values()
    )


def _text(event: EventDict) -> str:
    """Return the text of a captured line, without the fields that all lines of a job share."""
    shown = {key: value for key, value in _masked(None, "", event).items() if key not in _OF_A_JOB}
    rendered = _renderer(colors=False, pad_event_to=0, pad_level=False)(None, "", _one_line(None, "", shown))
    line = redaction.redact(rendered)
    short = f"{line[:_LONGEST_LINE]}…" if len(line) > _LONGEST_LINE else line
    # Postgres cannot store NUL or lone surrogates.
    return short.replace("\0", r"\0").encode("utf-8", "backslashreplace").decode()


@cache
def _renderer(**options: Any) -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(exception_formatter=_traceback, sort_keys=False, **options)


def get_logger(name: str = "zeke_jobs", **bound: Any) -> FilteringBoundLogger:
    """Return a structlog logger. Each line of the logger shows ``bound`` (``task=``, ``job_id=``)."""
    return cast("FilteringBoundLogger", structlog.get_logger(name, **bound))


def _says_something(record: logging.LogRecord) -> bool:
    """Return whether to log a line: not periodiq's lines about the scheduler's beat, and not dramatiq's "ready"."""
    if record.name.startswith("dramatiq.") and str(record.msg).startswith("Worker process is ready"):
        return False
    return record.name != "periodiq" or record.levelno > logging.INFO


def is_json() -> bool:
    """Return whether log lines are JSON if ``configure`` is called without ``json``."""
    # Do not use sys.stderr.isatty(): in a worker, sys.stderr is a pipe even if its lines go to a terminal.
    chosen = environment.log_format()
    return chosen == "json" or (chosen == "auto" and not os.isatty(2))


def _common(*, as_json: bool) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso" if as_json else "%H:%M:%S", utc=as_json),
        structlog.processors.StackInfoRenderer(),
    ]


@dataclass(frozen=True, slots=True)
class _Shown:
    """Makes the readable log format show ``text`` as it is, without further quotes."""

    text: str

    def __repr__(self) -> str:
        return self.text


def _one_line(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Keep values on one line without control characters, so that no value imitates a log line or controls the terminal."""
    return {visible(key): _cleaned(key, value) for key, value in event.items()}


def _cleaned(key: str, value: Any) -> Any:
    if key in ("exception", "stack"):
        return indented(str(value))
    if key == "exc_info":
        return value
    if key in _HEAD[:4]:
        return visible(str(value))
    shown = repr(value)
    if isinstance(value, str):
        return value if visible(value) == value else _Shown(shown)
    return value if visible(shown) == shown else _Shown(visible(shown))


def _traceback(stream: TextIO, exc_info: Any) -> None:
    stream.write("\n")
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    stream.write(indented(plain.getvalue().strip("\n")))


def refuse(error: Exception) -> NoReturn:
    """Print the error for the operator, as text unless the log format is JSON, and end with status 2."""
    has_places = bool(getattr(error, "diagnostics", ()))  # each fault then has a line with "error:"
    said = redaction.redact(str(error) if has_places else f"zeke_jobs: error: {error}")
    if environment.lookup(environment.LOG_FORMAT) == "json":  # every line must then be JSON
        configure()
        get_logger().critical(said)
    else:
        print(visible(said, lines=True), file=sys.stderr)  # noqa: T201 (a worker has no need of rich)
    sys.exit(2)


class Printed:
    """Logs lines printed to stdout or stderr, so that each line is masked, names its job and is stored with the job.

    Lines of ``stdout`` have the level info. A job's lines of ``stderr`` are warnings; others go to ``stream``.
    """

    def __init__(self, stream: TextIO, name: str = "stdout") -> None:
        self._stream = stream
        self._name = name
        self._level = logging.WARNING if name == "stderr" else logging.INFO
        self._begun = threading.local()  # the thread's unfinished line, and whether the thread is logging a line

    def write(self, text: str) -> int:
        """Log the lines that ``text`` completes, and keep an unfinished line for the next call."""
        is_logging = getattr(self._begun, "is_logging", False)  # the log reports its own faults on standard error
        if is_logging or (self._name == "stderr" and "job_id" not in structlog.contextvars.get_contextvars()):
            self._stream.write(redaction.redact(text))
            return len(text)
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        self._begun.text = rest[:-1].rpartition("\r")[2] + rest[-1:]  # a progress bar writes over its line
        self._begun.is_logging = True
        try:
            for line in filter(str.strip, lines):
                get_logger(self._name).log(self._level, line)
        finally:
            self._begun.is_logging = False
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each line to the stream."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
