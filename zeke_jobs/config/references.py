"""Checks references between parts of jobs.yaml, without importing code."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from zeke_jobs.config.document import Document, walk
from zeke_jobs.config.entries import NAME, EntryError, check_task_id
from zeke_jobs.config.limits import LimitRate, Rate, TaskRate
from zeke_jobs.config.models import Config, Defaults, File, Task
from zeke_jobs.config.validation import note_missing
from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.core.wording import format_duration
from zeke_jobs.payload.faults import KEY, Path


def check_references(document: Document, config: Config) -> None:
    """Report missing keys, unknown or duplicate names, and contradictory values."""
    note_missing(document, File)
    checks = _Checks(document, config)
    checks.whole()
    for limit in config.limits:
        checks.limit(("limits", limit), limit)
    for task in config.tasks.values():
        path = ("tasks", task.id)
        checks.inherited(path, task)
        checks.lists(path, task)
        checks.rate((*path, "rate"), task.rate)
        checks.units(path, task)
        checks.keyed(path, task)
        checks.unique((*path, "unique"), task)


class _Checks:
    def __init__(self, document: Document, config: Config) -> None:
        self._refuse, self._config = document.refuse, config
        self._written: dict[Path, Any] = dict(walk(document.value))
        """The values of the text, of any type, by path."""

    def whole(self) -> None:
        """Check names, and that ``${NAME}`` is used only where a value may differ from machine to machine."""
        if self._written.get(("tasks",)) == {}:
            self._refuse(("tasks",), "expected at least one task, got none")
        # Names are checked here and not by the models, so that the values under an invalid name are checked too.
        for section, accept in (("services", NAME.check), ("limits", NAME.check), ("tasks", check_task_id)):
            for name in getattr(self._config, section):
                try:
                    accept(name)
                except EntryError as error:
                    self._refuse((section, name, KEY), *error.args)
        for path, value in self._written.items():
            takes_some = path and (path[0] in ("services", "middleware") or path[2:3] == ("settings",))
            if isinstance(value, str) and "${" in value and not takes_some:
                fault = "expected a value that is the same on every machine, got one from the environment"
                help_ = "${NAME} is filled in under services, middleware and a task's settings only"
                self._refuse(path, fault, help_)
        self._names()
        self.inherited(("defaults",), self._config.defaults)

    def _items(self, path: Path) -> Iterator[tuple[Path, str]]:
        """Yield the path and the value of each text in the list at ``path``."""
        items = self._written.get(path)
        for at, item in enumerate(items if isinstance(items, list) else []):
            if isinstance(item, str):
                yield (*path, at), item

    def _names(self) -> None:
        """Check that ids and aliases are unique, also if - becomes _, as in the attributes of ``zeke_jobs.actors``."""
        owners = {name: f"the task {name}" for name in self._config.tasks}
        attributes: dict[str, tuple[str, str]] = {}
        for task in self._config.tasks.values():
            for path, name in [(("tasks", task.id), task.id), *self._items(("tasks", task.id, "aliases"))]:
                owner = owners.setdefault(name, f"an alias of {task.id}")
                if len(path) > 2 and owner != f"an alias of {task.id}":
                    fault = f"expected a name that nothing else has, got {quote(name)}, which is {owner}"
                    self._refuse(path, fault, "an alias belongs to one task")
                attribute = name.replace("-", "_")
                holder, other = attributes.setdefault(attribute, (task.id, name))
                if holder != task.id and other != name:
                    fault = f"expected a name that differs from {other} by more than - and _, got {quote(name)}"
                    self._refuse(path, fault, f"zeke_jobs.actors.{attribute} would stand for both")

    def limit(self, path: Path, name: str) -> None:
        limit = self._config.limits[name]
        keys = ("concurrency", "rate", "budget", "breaker")
        if not (any((*path, key) in self._written for key in keys) or limit.units or limit.paused):
            fault = f"expected concurrency or rate in limit {name}, got neither"
            self._refuse((*path, KEY, "concurrency"), fault, "for example concurrency: 8 or rate: 60/m")
        self.rate((*path, "rate"), limit.rate)
        if limit.concurrency is not None and limit.throttle.least > limit.concurrency:
            fault = f"expected least to be at most concurrency, got {limit.throttle.least} and {limit.concurrency}"
            self._refuse((*path, "throttle", "least"), fault)
        for unit, one in limit.units.items():
            if one.rate is not None:
                at = (*path, unit) if (*path, unit) in self._written else (*path, "units", unit)
                self._burst(at, one.burst, one.rate)
            if unit == "jobs" or (limit.budget is not None and unit == limit.budget.currency):
                counted = f"{'rate' if unit == 'jobs' else 'budget'}: counts"
                fault = f"expected a unit of its own name, got {quote(unit)}, which {counted}"
                self._refuse((*path, unit, KEY), fault)

    def rate(self, path: Path, rate: LimitRate | None) -> None:
        per_key = rate.per_key if isinstance(rate, TaskRate) else None
        if rate is None:
            return
        if rate.limit is not None:
            self._burst(path, rate.burst if rate.beside else None, rate.limit)
        elif rate.burst is not None or not per_key:
            wanted = "limit or per_key" if isinstance(rate, TaskRate) else "limit"
            fault = f"expected {wanted} in rate, got {'burst alone' if rate.burst else 'neither'}"
            self._refuse(path, fault, "for example rate: {limit: 60/m, burst: 10}")

    def _burst(self, path: Path, burst: float | None, rate: Rate) -> None:
        """Check that a burst is at most half of the rate. Then a used-up burst is full again within about a period."""
        if burst is not None and 2 * burst > rate.count:
            help_ = f"at most burst: {max(1, rate.count // 2)}; without it, starts are evenly spaced"
            self._refuse((*path, "burst"), f"expected a burst of at most half of {rate}, got {burst:g}", help_)

    def inherited(self, path: Path, of: Defaults) -> None:
        """Check keys that both ``defaults`` and a task can have."""
        told, at = of.on_failed, (*path, "on_failed")
        if told is not None and at in self._written and self._config.task(told) is None:
            help_ = suggest(told, self._config.tasks, what="tasks are")
            self._refuse(at, f"expected the name of a task, got {quote(told)}", help_)
        delay, longest, at = of.retry.delay, of.retry.max_delay, (*path, "retry")
        if at in self._written and delay > longest:
            key = "delay" if (*at, "delay") in self._written else "max_delay"
            got = f"{format_duration(delay)} and {format_duration(longest)}"
            fault = f"expected delay to be at most max_delay, got {got}"
            self._refuse((*at, key), fault, "a key that is missing here comes from defaults")

    def lists(self, path: Path, task: Task) -> None:
        limits = self._config.limits
        for at, limit in self._items((*path, "uses")):
            if limit not in limits:
                help_ = suggest(limit, limits, what="limits are") or "this file has no limits"
                self._refuse(at, f"expected the name of a limit, got {quote(limit)}", help_)
        items = [one for key in ("uses", "aliases", "sensitive") for one in self._items((*path, key))]
        if isinstance(task.cron, tuple):
            items += [((*path, "cron", at, "name"), one.name) for at, one in enumerate(task.cron) if one.name]
        seen: set[tuple[str | int, str]] = set()
        for at, item in items:
            if (at[2], item) in seen:
                self._refuse(at, f"expected each name once, got {quote(item)} again")
            seen.add((at[2], item))

    def units(self, path: Path, task: Task) -> None:
        """Check that a task estimates its use of each unit (such as tokens) that its limits count, and of no other."""
        limits = [self._config.limits[name] for name in task.uses if name in self._config.limits]
        most: dict[str, int | Decimal] = {}
        for unit, one in ((unit, one) for limit in limits for unit, one in limit.units.items()):
            if one.rate is not None:
                most[unit] = min(one.rate.count, most.get(unit, one.rate.count))
        for unit in most:
            if unit not in task.units:
                fault = f"expected an estimate of {unit} in task {task.id}, which uses a limit of them, got none"
                self._refuse((*path, KEY, "units"), fault, f"for example units: {{{unit}: 1000}}")
        for budget in filter(None, (task.budget, *(limit.budget for limit in limits))):
            most[budget.currency] = min(budget.amount, most.get(budget.currency, budget.amount))
        for unit, amount in task.units.items():
            at = (*path, "units", unit)
            if unit not in most:
                help_ = suggest(unit, most, what="units are") or "none of its limits counts units"
                self._refuse((*at, KEY), f"expected a unit of a limit that {task.id} uses, got {quote(unit)}", help_)
            elif amount > most[unit]:
                fault = f"expected at most the {most[unit]:,} that a limit of {task.id} allows, got {amount:g}"
                self._refuse(at, fault)

    def keyed(self, path: Path, task: Task) -> None:
        """Check the task's limits per ``key``, and report settings that must not be used together."""
        limit, per_key, at = task.concurrency.limit, task.concurrency.per_key, (*path, "concurrency")
        if self._written.get(at) == {}:
            help_ = "for example concurrency: 5, or {limit: 20, per_key: 1}"
            self._refuse(at, "expected limit or per_key in concurrency, got neither", help_)
        if limit is not None and per_key is not None and per_key > limit:
            self._refuse((*at, "per_key"), f"expected per_key to be at most limit, got {per_key} and {limit}")
        if task.order and per_key not in (None, 1):
            fault = f"expected per_key: 1 together with order: strict, got {per_key}"
            self._refuse((*at, "per_key"), fault, "leave it out: strict order runs one job of a key at a time")
        if task.chunk is not None and per_key is not None and task.chunk.by is None:
            fault = "expected by: key in a chunk together with concurrency per_key, got none"
            self._refuse((*path, "chunk"), fault, "a chunk with jobs of many keys would count for each of them")
        chunk, order, share, rate_of_key = task.chunk, task.order, task.share, task.rate and task.rate.per_key
        one_job, turns = "in strict order one job of a key runs at a time", "with chunk: {by: key} keys take turns"
        own_turns = "leave share out: keys that have a limit take turns anyway"
        no_limit = "share without a limit per key and without order"
        for has_both, keys, wanted, help_ in (
            (chunk and order, ("order",), "order or chunk in a task", one_job),
            (chunk and share, ("share",), "share or chunk in a task", turns),
            (
                chunk and rate_of_key,
                ("rate", "per_key"),
                "chunk or per_key in rate",
                "limit: counts the jobs of a chunk",
            ),
            (share and (task.per_key or rate_of_key), ("share",), no_limit, own_turns),
        ):
            if has_both:
                self._refuse((*path, *keys), f"expected {wanted}, got both", help_)

    def unique(self, path: Path, task: Task) -> None:
        if task.unique is None:
            return
        how, during, period = task.unique.on_duplicate, task.unique.while_, task.unique.period
        if how != "ignore" and during != "queued":
            fault = f"expected on_duplicate: {how} together with while: queued, got while: {during}"
            self._refuse((*path, "on_duplicate"), fault, "a job that runs or has run keeps its payload")
        if task.unique.at_most is not None and how == "ignore":
            fault = "expected at_most together with on_duplicate: replace or postpone, got neither"
            self._refuse((*path, "at_most"), fault)
        if period is not None and during != "period":
            fault = f"expected period together with while: period, got while: {during}"
            self._refuse((*path, "period"), fault, "write while: period, or remove period")
        elif period is None and during == "period" and (*path, "period") not in self._written:
            self._refuse(path, "expected the key 'period' in unique, got none", "for example period: 1h")
