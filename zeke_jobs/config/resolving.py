"""Stanzas to the resolved models: defaults merged in, short forms written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from zeke_jobs.config.entries import parse_rate
from zeke_jobs.config.models import (
    Concurrency,
    Config,
    Defaults,
    Keep,
    Limit,
    Rate,
    Retry,
    Schedule,
    Service,
    Task,
    Unique,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zeke_jobs.config.stanzas import (
        ConcurrencyStanza,
        CronStanza,
        DefaultsStanza,
        FileStanza,
        LimitStanza,
        ServiceStanza,
        TaskStanza,
        UniqueStanza,
    )

M = TypeVar("M", bound=BaseModel)


def resolve(stanza: FileStanza, *, text: str, digest: str) -> Config:
    """The configuration that the stanzas describe."""
    defaults = resolve_defaults(stanza.defaults)
    return Config(
        timezone=stanza.timezone,
        services={name: _service(name, one) for name, one in stanza.services.items()},
        limits={name: _limit(name, one) for name, one in stanza.limits.items()},
        migrations=tuple(stanza.migrations),
        defaults=defaults,
        tasks={name: resolve_task(name, one, defaults, stanza.timezone) for name, one in stanza.tasks.items()},
        text=text,
        digest=digest,
    )


def resolve_defaults(stanza: DefaultsStanza) -> Defaults:
    """What every task has that says nothing else."""
    return _merged(
        Defaults(),
        _given(stanza, "queue", "priority", "timeout", "max_queued", "max_wait"),
        retry=_merged(Retry(), _given(stanza.retry)),
        keep=_merged(Keep(), _given(stanza.keep)),
    )


def resolve_task(name: str, stanza: TaskStanza, defaults: Defaults, timezone: str) -> Task:
    """One task, with what it leaves out taken from the defaults; ``retry`` and ``keep`` merge key by key."""
    inherited = {field: getattr(defaults, field) for field in type(defaults).model_fields}
    own = _given(stanza, "queue", "priority", "timeout", "max_queued", "max_wait")
    merged = {
        "retry": _merged(defaults.retry, _given(stanza.retry)),
        "keep": _merged(defaults.keep, _given(stanza.keep)),
    }
    return Task(
        id=name,
        handler=stanza.handler or "",
        description=stanza.description,
        aliases=tuple(stanza.aliases),
        concurrency=_concurrency(stanza.concurrency),
        rate=_rate(stanza.rate),
        uses=tuple(stanza.uses),
        cron=_schedule(stanza.cron, timezone),
        settings=stanza.settings,
        unique=_unique(stanza.unique),
        sensitive=tuple(stanza.sensitive),
        paused=stanza.paused,
        **(inherited | own | merged),
    )


def _given(stanza: BaseModel | None, *names: str) -> dict[str, Any]:
    """What the author wrote, of these keys or of all; a key without a value counts as left out."""
    if stanza is None:
        return {}
    keys = stanza.model_fields_set & set(names) if names else stanza.model_fields_set
    return {key: value for key in keys if (value := getattr(stanza, key)) is not None}


def _merged(base: M, over: Mapping[str, Any], **more: Any) -> M:
    return base.model_copy(update={**over, **more})


def _concurrency(stanza: ConcurrencyStanza | None) -> Concurrency:
    return Concurrency(limit=stanza.limit, per_key=stanza.per_key) if stanza else Concurrency()


def _rate(text: str | None) -> Rate | None:
    return parse_rate(text) if text else None


def _unique(stanza: UniqueStanza | None) -> Unique | None:
    if stanza is None:
        return None
    return Unique(fields=tuple(stanza.fields), while_=stanza.while_, period=stanza.period)


def _schedule(stanza: CronStanza | None, timezone: str) -> Schedule | None:
    if stanza is None:
        return None
    return Schedule(**{"timezone": timezone, "at": "", **_given(stanza)})


def _limit(name: str, stanza: LimitStanza) -> Limit:
    return Limit(
        name=name,
        description=stanza.description,
        concurrency=stanza.concurrency,
        rate=_rate(stanza.rate),
        paused=stanza.paused,
    )


def _service(name: str, stanza: ServiceStanza) -> Service:
    return Service(name=name, use=stanza.use or "", settings=dict(stanza.model_extra or {}))
