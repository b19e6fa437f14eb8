"""Decides when to poll a source again, by the result of the last poll."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import BaseModel, Field

from actors.engine.contract import ContentSource
from actors.store.sources import Polling
from actors.waiting import grown
from zeke_jobs import Duration, parse_duration

WEEK = timedelta(days=7)


class Rhythm(BaseModel, extra="forbid", frozen=True):
    """Defines how often sources are polled.

    Attributes:
        default: The time between two polls of a mailbox, or of a source whose items have no dates.
        shortest: The minimum time between two polls of a source. ``longest`` is the maximum.
        longest_wait: The maximum wait that a server can demand. If it asks for more, this wait is used.
        first_backoff: The wait after the first failure; it doubles with each further failure, up to ``longest``.
        gone_after: After this number of consecutive 410 answers, the source is switched off.
        moved_after: After this many permanent redirects to one target, and after ``moved_over``, the address changes.
    """

    default: Duration = parse_duration("1h")
    shortest: Duration = parse_duration("5m")
    longest: Duration = parse_duration("24h")
    longest_wait: Duration = parse_duration("24h")
    first_backoff: Duration = parse_duration("1h")
    gone_after: int = Field(default=2, ge=1)
    moved_after: int = Field(default=3, ge=1)
    moved_over: Duration = parse_duration("24h")

    def interval(self, published: Iterable[datetime | None], now: datetime) -> timedelta:
        """Return the time between two polls of a source: a week divided by the number of entries in the last week."""
        dates = [moment for moment in published if moment is not None]
        if not dates:
            return self.default
        recent = sum(moment > now - WEEK for moment in dates)
        own: timedelta = WEEK / recent if recent else self.longest
        bounded: timedelta = min(max(own, self.shortest), self.longest)
        return bounded

    def backoff(self, failures: int, asked_for: float | None = None) -> timedelta:
        """Return the wait after consecutive ``failures``: 1 h, 2 h, 4 h …, or a longer wait that the server asked for."""
        return grown(failures, self.first_backoff, self.longest, asked_for, self.longest_wait)

    def after_success(self, polling: Polling, answer: ContentSource) -> Polling:
        """Return the state after a successful poll. If a 304 lacks ETag or Last-Modified, the old value is kept."""
        old = polling if answer.not_modified else Polling()
        etag, modified = answer.etag or old.etag, answer.last_modified or old.last_modified
        return replace(polling, etag=etag, last_modified=modified, failures=0, gone_count=0, fetched_once=True)

    def follow(self, polling: Polling, moved_to: str | None, now: datetime) -> tuple[Polling, str | None]:
        """Count a permanent redirect. Returns the new state, and the target if it is the new address, else None."""
        if moved_to is None:
            return replace(polling, moved_to=None, moved_count=0, moved_since=None), None
        if polling.moved_to != moved_to or polling.moved_since is None:
            return replace(polling, moved_to=moved_to, moved_count=1, moved_since=now), None
        count = polling.moved_count + 1
        if count >= self.moved_after and now - polling.moved_since >= self.moved_over:
            return replace(polling, moved_to=None, moved_count=0, moved_since=None), moved_to
        return replace(polling, moved_count=count), None
