"""What one stanza says about another, or about the calendar: checked without importing any code."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from zeke_jobs.config.entries import EntryError, check_name, check_task_id
from zeke_jobs.config.substitution import references
from zeke_jobs.core.durations import format_duration
from zeke_jobs.core.quoting import quote, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zeke_jobs.config.diagnostics import Report
    from zeke_jobs.config.models import Config, Schedule, Task
    from zeke_jobs.config.places import Document, Path
    from zeke_jobs.config.stanzas import FileStanza


def check_references(document: Document, stanza: FileStanza, config: Config, report: Report) -> None:
    """Report what is missing, names that nothing has, names that two things have, and values that disagree."""
    _Checks(document, stanza, config, report).all()


class _Checks:
    def __init__(self, document: Document, stanza: FileStanza, config: Config, report: Report) -> None:
        self._document = document
        self._stanza = stanza
        self._config = config
        self._report = report

    def all(self) -> None:
        self._required((), "version", "the file", "the first line is version: 1")
        self._required((), "tasks", "the file", "for example tasks: {my-task: {handler: package.module:function}}")
        if self._document.value.get("tasks") == {}:
            self._report.add(self._document.head(("tasks",)), "expected at least one task, got none")
        self._keys()
        self._variables()
        for name in self._config.services:
            self._required(("services", name), "use", f"service {name}", "for example use: package.module:Settings")
        self._limits()
        self._names()
        self._retry(("defaults",), self._config.defaults)
        for task in self._config.tasks.values():
            self._task(task)

    def _keys(self) -> None:
        """The names that the file gives; here and not in the stanzas, so that what stands under one is checked."""
        for section, accept in (("services", check_name), ("limits", check_name), ("tasks", check_task_id)):
            for name in getattr(self._stanza, section):
                try:
                    accept(name)
                except EntryError as error:
                    self._report.add(self._document.key((section, name)), *error.args)

    def _required(self, path: Path, key: str, of: str, help_: str) -> None:
        if isinstance(self._value(path), dict) and not self._has((*path, key)):
            fault = f"expected the key {quote(key)} in {of}, got none"
            self._report.add(self._document.key(path), fault, help_, missing=key)

    def _value(self, path: Path) -> Any:
        """What the author wrote at ``path``, or None: it may be of any type."""
        value = self._document.value
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def _has(self, path: Path) -> bool:
        """Whether the author wrote the key at the end of ``path``; false where its mapping is none."""
        mapping = self._value(path[:-1])
        return isinstance(mapping, dict) and path[-1] in mapping

    def _items(self, path: Path) -> Iterator[tuple[Path, str]]:
        """Path and text of each item of the list at ``path``, as the author wrote it."""
        items = self._value(path)
        for at, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, str):
                yield (*path, at), item

    def _variables(self) -> None:
        for path, _ in references(self._document.value):
            in_settings = path[0] == "services" or path[2:3] == ("settings",)
            if not in_settings:
                self._report.add(
                    self._document.head(path),
                    "expected a value that is the same on every machine, got one from the environment",
                    "${NAME} is filled in under services and under a task's settings only",
                )

    def _limits(self) -> None:
        for name, limit in self._stanza.limits.items():
            path = ("limits", name)
            if not (self._has((*path, "concurrency")) or self._has((*path, "rate")) or limit.paused):
                self._report.add(
                    self._document.key(path),
                    f"expected concurrency or rate in limit {name}, got neither",
                    "for example concurrency: 8 or rate: 60/m",
                    missing="concurrency",
                )

    def _names(self) -> None:
        taken: dict[str, str] = {name: f"the task {name}" for name in self._config.tasks}
        for task in self._config.tasks.values():
            for path, alias in self._items(("tasks", task.id, "aliases")):
                if alias in taken:
                    self._report.add(
                        self._document.head(path),
                        f"expected a name that nothing else has, got {quote(alias)}, which is {taken[alias]}",
                        "an alias belongs to one task",
                    )
                taken.setdefault(alias, f"an alias of {task.id}")
        self._attributes()

    def _attributes(self) -> None:
        """``zeke_jobs.actors`` has one attribute for each name, with _ for -."""
        owners: dict[str, tuple[str, str]] = {}
        for task in self._config.tasks.values():
            for path, name in [(("tasks", task.id), task.id), *self._items(("tasks", task.id, "aliases"))]:
                attribute = name.replace("-", "_")
                owner, other = owners.setdefault(attribute, (task.id, name))
                if owner != task.id and other != name:
                    self._report.add(
                        self._document.head(path),
                        f"expected a name that differs from {other} by more than - and _, got {quote(name)}",
                        f"zeke_jobs.actors.{attribute} would stand for both",
                    )

    def _task(self, task: Task) -> None:
        path: Path = ("tasks", task.id)
        self._required(path, "handler", f"task {task.id}", "for example handler: package.module:function")
        for at, limit in self._items((*path, "uses")):
            if limit not in self._config.limits:
                self._report.add(
                    self._document.head(at),
                    f"expected the name of a limit, got {quote(limit)}",
                    suggest(limit, self._config.limits, what="limits are") or "there is no limits: in this file",
                )
        for key in ("uses", "aliases", "sensitive"):
            self._once((*path, key))
        self._retry(path, task)
        self._per_key(path, task)
        self._unique(path, task)
        if task.cron is not None:
            self._cron(task.cron, path)

    def _once(self, path: Path) -> None:
        seen: set[str] = set()
        for at, item in self._items(path):
            if item in seen:
                self._report.add(self._document.head(at), f"expected each name once, got {quote(item)} again")
            seen.add(item)

    def _retry(self, path: Path, of: Any) -> None:
        if self._has((*path, "retry")) and of.retry.delay > of.retry.max_delay:
            key = "delay" if self._has((*path, "retry", "delay")) else "max_delay"
            self._report.add(
                self._document.head((*path, "retry", key)),
                f"expected delay to be at most max_delay, got {format_duration(of.retry.delay)}"
                f" and {format_duration(of.retry.max_delay)}",
                "what is left out here comes from defaults",
            )

    def _per_key(self, path: Path, task: Task) -> None:
        limit, per_key = task.concurrency.limit, task.concurrency.per_key
        if limit is not None and per_key is not None and per_key > limit:
            self._report.add(
                self._document.head((*path, "concurrency", "per_key")),
                f"expected per_key to be at most limit, got {per_key} and {limit}",
            )
        if self._value((*path, "concurrency")) == {}:
            self._report.add(
                self._document.head((*path, "concurrency")),
                "expected limit or per_key in concurrency, got neither",
                "for example concurrency: 5, or {limit: 20, per_key: 1}",
            )

    def _unique(self, path: Path, task: Task) -> None:
        if task.unique is None:
            return
        where = self._document.head((*path, "unique"))
        if task.unique.while_ == "period" and task.unique.period is None:
            if not self._has((*path, "unique", "period")):
                self._report.add(where, "expected the key 'period' in unique, got none", "for example period: 1h")
        elif task.unique.while_ != "period" and task.unique.period is not None:
            self._report.add(
                self._document.head((*path, "unique", "period")),
                f"expected period together with while: period, got while: {task.unique.while_}",
                "write while: period, or remove period",
            )

    def _cron(self, schedule: Schedule, path: Path) -> None:
        from zeke_jobs.cron.calendar import CronError, parse

        written = self._value((*path, "cron"))
        if isinstance(written, dict) and "at" not in written:
            self._report.add(
                self._document.key((*path, "cron")), "expected the key 'at' in cron, got none", _CRON_EXAMPLE
            )
        elif isinstance(written.get("at") if isinstance(written, dict) else written, str):
            span = self._document.head((*path, "cron", "at"))
            try:
                cron = parse(schedule.at)
            except CronError as error:
                self._report.add(span, error.reason, error.help or _CRON_EXAMPLE)
                return
            if cron.next_after(datetime.now(UTC), ZoneInfo(schedule.timezone)) is None:
                self._report.add(span, f"expected a cron line that comes, got {quote(schedule.at)}, which never does")


_CRON_EXAMPLE = 'minute hour day month weekday, for example "*/5 * * * *" or "@daily"'
