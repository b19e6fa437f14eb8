from datetime import UTC, datetime, timedelta
from fractions import Fraction

import dramatiq
import pytest
from hypothesis import example, given, strategies as st

from zeke_jobs.config.models import Retry as Policy
from zeke_jobs.errors import Defer, Reject, Retry
from zeke_jobs.worker.finish.outcome import Outcome, backoff, describe, of_exception

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


@given(st.floats(1, 100), st.floats(0, 1e9), st.floats(0, 1e9), st.integers(1, 1001))
@example(1.1, 1, 600, 66)
@example(1.1, 1, 600, 1001)
@example(100, 0, 600, 1001)
def test_a_backoff_is_the_formula_of_jobs_yaml(factor: float, delay: float, longest: float, retry: int) -> None:
    policy = Policy(delay=timedelta(seconds=delay), factor=factor, max_delay=timedelta(seconds=longest))
    exact = Fraction(policy.delay.total_seconds()) * Fraction(factor) ** (retry - 1)
    promised = min(Fraction(policy.max_delay.total_seconds()), exact)
    assert backoff(policy, retry, chance=0.5) == pytest.approx(float(promised), rel=1e-9)


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
    """The page can never be an article."""


def test_an_exception_type_can_carry_its_own_verdict() -> None:
    assert of_exception(HostBusy(), POLICY, retries=19).delay == 60
    assert of_exception(dramatiq.Retry("later", delay=1500), POLICY, retries=0).delay == 1.5
    assert of_exception(NotAPage("it is a picture"), POLICY, retries=0).how == "failed"
    assert describe(HostBusy())["type"] == "HostBusy"
    until = datetime(2026, 1, 1, tzinfo=UTC)
    assert of_exception(Defer(until, "budget"), POLICY, retries=9) == Outcome("deferred", until=until, reason="budget")
