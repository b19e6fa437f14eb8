"""Checks references between parts of the file, without importing code."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from zeke_jobs.config.entries import NAME, EntryError, Rate, check_task_id
from zeke_jobs.config.limits import LimitRate
from zeke_jobs.config.models import Config, Defaults, File, Task
from zeke_jobs.config.places import Document, Path, walk
from zeke_jobs.config.validation import note_missing
from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.core.wording import format_duration


def check_references(document: Document, config: Config) -> None:
    """Report missing keys, unknown or duplicate names, and contradictory values."""
    _Checks(document, config).all()


class _Checks:
    def __init__(self, document: Document, config: Config) -> None:
        self._document = document
        self._config = config
        self._written: dict[Path, Any] = dict(walk(document.value))
        """The author's values, of any type, by path."""
        self._names_of_tasks = {name for one in config.tasks.values() for name in (one.id, *one.aliases)}

    def all(self) -> None:
        note_missing(self._document, File)
        if self._written.get(("tasks",)) == {}:
            self._document.refuse(("tasks",), "expected at least one task, got none")
        self._keys()
        self._variables()
        self._limits()
        self._names()
        self._retry(("defaults",), self._config.defaults)
        self._on_failed(("defaults",), self._config.defaults)
        for task in self._config.tasks.values():
            self._task(task)

    def _keys(self) -> None:
        """Check the names of mappings. Not in the models, so that the values under a bad name are checked too."""
        for section, accept in (("services", NAME.check), ("limits", NAME.check), ("tasks", check_task_id)):
            for name in getattr(self._config, section):
                try:
                    accept(name)
                except EntryError as error:
                    self._document.refuse_key((section, name), *error.args)

    def _items(self, path: Path) -> Iterator[tuple[Path, str]]:
        """Path and text of each item of the author's list at ``path``."""
        items = self._written.get(path)
        for at, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, str):
                yield (*path, at), item

    def _variables(self) -> None:
        for path, value in self._written.items():
            if (
                isinstance(value, str)
                and "${" in value
                and path[0] not in ("services", "middleware")
                and path[2:3] != ("settings",)
            ):
                self._document.refuse(
                    path,
                    "expected a value that is the same on every machine, got one from the environment",
                    "${NAME} is filled in under services, middleware and a task's settings only",
                )

    def _limits(self) -> None:
        for name, limit in self._config.limits.items():
            path = ("limits", name)
            keys = ("concurrency", "rate", "budget", "breaker")
            if not (any((*path, key) in self._written for key in keys) or limit.units or limit.paused):
                fault = f"expected concurrency or rate in limit {name}, got neither"
                help_ = "for example concurrency: 8 or rate: 60/m"
                self._document.refuse_key(path, fault, help_, missing="concurrency")
            self._rate((*path, "rate"), limit.rate)
            if limit.concurrency is not None and limit.throttle.least > limit.concurrency:
                fault = f"expected least to be at most concurrency, got {limit.throttle.least} and {limit.concurrency}"
                self._document.refuse((*path, "throttle", "least"), fault)
            for unit, one in limit.units.items():
                if one.rate is not None:
                    at = (*path, unit) if (*path, unit) in self._written else (*path, "units", unit)
                    self._burst(at, one.burst, one.rate)
                if unit == "jobs" or (limit.budget is not None and unit == limit.budget.currency):
                    meant = "rate" if unit == "jobs" else "budget"
                    fault = f"expected a unit of its own name, got {quote(unit)}, which {meant}: counts"
                    self._document.refuse_key((*path, unit), fault)

    def _rate(self, path: Path, rate: LimitRate | None) -> None:
        if rate is None:
            return
        if rate.limit is not None:
            self._burst(path, rate.burst if rate.beside else None, rate.limit)
            return
        if getattr(rate, "per_key", None) is None or rate.burst is not None:
            got = "burst alone" if rate.burst is not None else "neither"
            wanted = "limit or per_key" if hasattr(rate, "per_key") else "limit"
            self._document.refuse(
                path, f"expected {wanted} in rate, got {got}", "for example rate: {limit: 60/m, burst: 10}"
            )

    def _burst(self, path: Path, burst: float | None, rate: Rate) -> None:
        """The rest of a rate has to fit between two bursts: with a larger burst it would be spaced ever wider."""
        if burst is not None and 2 * burst > rate.count:
            fault = f"expected a burst of at most half of {rate}, got {burst:g}"
            help_ = f"at most burst: {max(1, rate.count // 2)}; without it, starts are evenly spaced"
            self._document.refuse((*path, "burst"), fault, help_)

    def _units(self, path: Path, task: Task) -> None:
        """Check that a task has an estimate for each unit of its limits, and no others."""
        limits = [self._config.limits[name] for name in task.uses if name in self._config.limits]
        most: dict[str, int] = {}
        for unit, one in ((unit, one) for limit in limits for unit, one in limit.units.items()):
            if one.rate is not None:
                most[unit] = min(one.rate.count, most.get(unit, one.rate.count))
        budgets = [task.budget, *(limit.budget for limit in limits)]
        money: dict[str, Decimal] = {}
        for budget in filter(None, budgets):
            money[budget.currency] = min(budget.amount, money.get(budget.currency, budget.amount))
        for unit, amount in task.units.items():
            at = (*path, "units", unit)
            if unit not in most and unit not in money:
                help_ = suggest(unit, [*most, *money], what="units are") or "none of its limits counts units"
                self._document.refuse_key(
                    at, f"expected a unit of a limit that {task.id} uses, got {quote(unit)}", help_
                )
                continue
            allowed = min(each[unit] for each in (most, money) if unit in each)
            if amount > allowed:
                fault = f"expected at most the {allowed:,} that a limit of {task.id} allows, got {amount:g}"
                self._document.refuse(at, fault)
        for unit in most:
            if unit not in task.units:
                fault = f"expected an estimate of {unit} in task {task.id}, which uses a limit of them, got none"
                self._document.refuse_key(path, fault, f"for example units: {{{unit}: 1000}}", missing="units")

    def _names(self) -> None:
        """Check that no two tasks share a name, nor two attributes of ``zeke_jobs.actors``, which have _ for -."""
        owners = {name: f"the task {name}" for name in self._config.tasks}
        attributes: dict[str, tuple[str, str]] = {}
        for task in self._config.tasks.values():
            for path, name in [(("tasks", task.id), task.id), *self._items(("tasks", task.id, "aliases"))]:
                owner = owners.get(name)
                if len(path) > 2 and owner is not None:  # an alias
                    fault = f"expected a name that nothing else has, got {quote(name)}, which is {owner}"
                    self._document.refuse(path, fault, "an alias belongs to one task")
                owners.setdefault(name, f"an alias of {task.id}")
                attribute = name.replace("-", "_")
                holder, other = attributes.setdefault(attribute, (task.id, name))
                if holder != task.id and other != name:
                    fault = f"expected a name that differs from {other} by more than - and _, got {quote(name)}"
                    self._document.refuse(path, fault, f"zeke_jobs.actors.{attribute} would stand for both")

    def _task(self, task: Task) -> None:
        path: Path = ("tasks", task.id)
        for at, limit in self._items((*path, "uses")):
            if limit not in self._config.limits:
                help_ = suggest(limit, self._config.limits, what="limits are") or "there is no limits: in this file"
                self._document.refuse(at, f"expected the name of a limit, got {quote(limit)}", help_)
        self._on_failed(path, task)
        for key in ("uses", "aliases", "sensitive"):
            self._once((*path, key))
        self._retry(path, task)
        self._concurrency((*path, "concurrency"), task)
        self._chunk((*path, "chunk"), task)
        self._rate((*path, "rate"), task.rate)
        self._units(path, task)
        if task.share and (task.per_key or (task.rate and task.rate.per_key)):
            fault = "expected share without a limit per key and without order, got both"
            self._document.refuse((*path, "share"), fault, "leave share out: keys that have a limit take turns anyway")
        self._unique((*path, "unique"), task)
        names = [one.name for one in task.cron] if isinstance(task.cron, tuple) else []
        for number, name in enumerate(names):
            if name and name in names[:number]:
                fault = f"expected each name once, got {quote(name)} again"
                self._document.refuse((*path, "cron", number, "name"), fault)

    def _on_failed(self, path: Path, of: Defaults) -> None:
        if (
            of.on_failed is not None
            and (*path, "on_failed") in self._written
            and of.on_failed not in self._names_of_tasks
        ):
            fault = f"expected the name of a task, got {quote(of.on_failed)}"
            self._document.refuse(
                (*path, "on_failed"), fault, suggest(of.on_failed, self._config.tasks, what="tasks are")
            )

    def _once(self, path: Path) -> None:
        seen: set[str] = set()
        for at, item in self._items(path):
            if item in seen:
                self._document.refuse(at, f"expected each name once, got {quote(item)} again")
            seen.add(item)

    def _retry(self, path: Path, of: Defaults) -> None:
        delay, longest = of.retry.delay, of.retry.max_delay
        if (*path, "retry") in self._written and delay > longest:
            key = "delay" if (*path, "retry", "delay") in self._written else "max_delay"
            got = f"{format_duration(delay)} and {format_duration(longest)}"
            fault = f"expected delay to be at most max_delay, got {got}"
            self._document.refuse((*path, "retry", key), fault, "a key that is missing here comes from defaults")

    def _concurrency(self, path: Path, task: Task) -> None:
        limit, per_key = task.concurrency.limit, task.concurrency.per_key
        if limit is not None and per_key is not None and per_key > limit:
            fault = f"expected per_key to be at most limit, got {per_key} and {limit}"
            self._document.refuse((*path, "per_key"), fault)
        if task.order and per_key not in (None, 1):
            fault = f"expected per_key: 1 together with order: strict, got {per_key}"
            self._document.refuse(
                (*path, "per_key"), fault, "leave it out: strict order runs one job of a key at a time"
            )
        if self._written.get(path) == {}:
            help_ = "for example concurrency: 5, or {limit: 20, per_key: 1}"
            self._document.refuse(path, "expected limit or per_key in concurrency, got neither", help_)

    def _chunk(self, path: Path, task: Task) -> None:
        if task.chunk is None:
            return
        for other, help_ in (
            ("order", "in strict order one job of a key runs at a time"),
            ("share", "with chunk: {by: key} keys take turns"),
        ):
            if getattr(task, other):
                self._document.refuse((*path[:-1], other), f"expected {other} or chunk in a task, got both", help_)
        if task.rate is not None and task.rate.per_key is not None:
            fault = "expected chunk or per_key in rate, got both"
            self._document.refuse((*path[:-1], "rate", "per_key"), fault, "limit: counts the jobs of a chunk")
        if task.concurrency.per_key is not None and task.chunk.by is None:
            fault = "expected by: key in a chunk together with concurrency per_key, got none"
            self._document.refuse(path, fault, "a chunk with jobs of many keys would count for each of them")

    def _unique(self, path: Path, task: Task) -> None:
        unique = task.unique
        if unique is not None and unique.on_duplicate != "ignore" and unique.while_ != "queued":
            fault = (
                f"expected on_duplicate: {unique.on_duplicate} together with while: queued, got while: {unique.while_}"
            )
            self._document.refuse((*path, "on_duplicate"), fault, "a job that runs or has run keeps its payload")
        if unique is not None and unique.at_most is not None and unique.on_duplicate == "ignore":
            fault = "expected at_most together with on_duplicate: replace or postpone, got neither"
            self._document.refuse((*path, "at_most"), fault)
        if unique is None or (unique.while_ == "period") == (unique.period is not None):
            return
        if unique.period is not None:
            fault = f"expected period together with while: period, got while: {unique.while_}"
            self._document.refuse((*path, "period"), fault, "write while: period, or remove period")
        elif (*path, "period") not in self._written:
            self._document.refuse(path, "expected the key 'period' in unique, got none", "for example period: 1h")
