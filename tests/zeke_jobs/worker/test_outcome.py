from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeke_jobs.config.models import Retry as Policy
from zeke_jobs.errors import Defer, InvalidPayload, Reject, Retry
from zeke_jobs.worker.finish.outcome import RETURNED, Ended, backoff, describe, of_exception
from zeke_jobs.worker.run.interrupts import Cancelled, Lost, TimedOut

POLICY = Policy(limit=2, delay=timedelta(seconds=1), factor=2.0, max_delay=timedelta(minutes=1), jitter=0.1)


@given(
    st.floats(0.001, 3600),
    st.floats(1, 10),
    st.floats(0, 1),
    st.integers(1, 5000),
    st.floats(0, 1),
    st.floats(0.001, 1e6),
)
def test_a_backoff_is_never_negative_and_never_beyond_its_maximum(
    delay: float, factor: float, jitter: float, retry: int, chance: float, longest: float
) -> None:
    policy = Policy(
        limit=1, delay=timedelta(seconds=delay), factor=factor, max_delay=timedelta(seconds=longest), jitter=jitter
    )
    assert 0 <= backoff(policy, retry, chance=chance) <= policy.max_delay.total_seconds()


def test_a_backoff_doubles_until_its_maximum() -> None:
    assert [backoff(POLICY, n, chance=0.5) for n in (1, 2, 3, 6, 7, 50)] == [1, 2, 4, 32, 60, 60]


def test_jitter_moves_a_backoff_by_its_share_at_most() -> None:
    assert backoff(POLICY, 1, chance=0.0) == pytest.approx(0.9)
    assert backoff(POLICY, 1, chance=1.0) == pytest.approx(1.1)


def test_the_last_retry_is_the_limits() -> None:
    assert of_exception(ValueError("x"), POLICY, retries=1).how == "retry"
    assert of_exception(ValueError("x"), POLICY, retries=2).how == "failed"


def test_a_handlers_own_delay_goes_before_the_policy_and_counts_all_the_same() -> None:
    assert of_exception(Retry(90, "later"), POLICY, retries=0).delay == 90
    assert of_exception(Retry(90, "later"), POLICY, retries=2).how == "failed"


def test_a_handler_may_grant_more_retries_or_fewer_than_the_policy() -> None:
    assert of_exception(Retry(5, "no connection", limit=9), POLICY, retries=8).how == "retry"
    assert of_exception(Retry(5, "no connection", limit=9), POLICY, retries=9).how == "failed"
    assert of_exception(Retry(5, "once is enough", limit=0), POLICY, retries=0).how == "failed"
    with pytest.raises(ValueError, match="expected a limit of retries of at least 0, got -1"):
        Retry(limit=-1)


class HostBusy(Retry):
    def __init__(self) -> None:
        super().__init__(60, "the host is busy", limit=20)


class NotAPage(Reject):
    """Never will be."""


class Later(Retry):
    def __init__(self) -> None:
        pass  # forgets what a Retry is made of


class OneDay(Defer):
    def __init__(self, until: Any) -> None:
        self.until = until  # behind the back of the checks


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Later(), "Later does not decide about the job: AttributeError: "),
        (OneDay(None), "OneDay does not decide about the job: TypeError: expected until as a timedelta or in"),
        (OneDay(251606667985.9), "ValueError: expected until as at most 100 years, got 251606667985.9"),
        (
            OneDay(datetime.max.replace(tzinfo=UTC)),
            "ValueError: expected until from 1970-01-01 to 9000-01-01, got 9999",
        ),
    ],
)
def test_an_exception_that_does_not_say_what_it_should_fails_the_job_in_words(error: Exception, words: str) -> None:
    ended = of_exception(error, POLICY, retries=0)
    assert (ended.how, ended.error and ended.error["type"]) == ("failed", type(error).__name__)
    assert words in str(ended.reason)


def test_an_exception_type_can_carry_its_own_verdict() -> None:
    assert of_exception(HostBusy(), POLICY, retries=19).delay == 60
    assert of_exception(NotAPage("it is a picture"), POLICY, retries=0).how == "failed"
    assert describe(HostBusy())["type"] == "HostBusy"


def test_a_deferral_is_no_retry() -> None:
    until = datetime(2026, 1, 1, tzinfo=UTC)
    assert of_exception(Defer(until, "budget"), POLICY, retries=9) == Ended("deferred", until=until, reason="budget")
    assert of_exception(Defer(5, "budget"), POLICY, retries=9) == Ended("deferred", delay=5, reason="budget")


def test_a_naive_time_is_refused_by_defer() -> None:
    with pytest.raises(ValueError, match="naive"):
        Defer(datetime(2026, 1, 1), "x")  # noqa: DTZ001


@pytest.mark.parametrize("error", [Reject("no"), InvalidPayload("no")])
def test_what_can_never_succeed_is_not_retried(error: Exception) -> None:
    assert of_exception(error, POLICY, retries=0).how == "failed"


def test_interrupts_end_as_what_they_mean() -> None:
    assert of_exception(TimedOut("slow"), POLICY, retries=0).how == "retry"
    assert of_exception(Cancelled("why"), POLICY, retries=0) == Ended("cancelled", reason="why")
    assert of_exception(Lost("gone"), POLICY, retries=0) is RETURNED


def test_an_error_that_postgres_could_not_store_is_made_storable() -> None:
    described = describe(ValueError("a\0b\ud800"))
    assert described["message"] == "a\N{SYMBOL FOR NULL}b\\ud800"
