"""All exported metrics of zeke_jobs and of Dramatiq are listed here."""

from prometheus_client.samples import Sample

from tests.zeke_jobs.diagnosis.conftest import scene
from zeke_jobs.metrics.exporter import read
from zeke_jobs.metrics.exposition import ATTEMPT_SECONDS, ATTEMPTS, DATABASE, THREADS_LOST, Family

__all__ = ["scene"]
#: Workers count the metrics in WORKER, summed over all processes of a ``dramatiq`` command.
WORKER: tuple[Family, ...] = (ATTEMPTS, ATTEMPT_SECONDS, THREADS_LOST)

_DRAMATIQ = ("queue_name", "actor_name")

#: Existing dashboards use these names of Dramatiq. A failed attempt counts as an error, though Dramatiq sees no
#: exception.
DRAMATIQ: tuple[Family, ...] = (
    Family("dramatiq_messages_total", "counter", _DRAMATIQ, "Attempts that ended."),
    Family("dramatiq_message_errors_total", "counter", _DRAMATIQ, "Attempts that failed."),
    Family("dramatiq_message_retries_total", "counter", _DRAMATIQ, "Attempts that failed and will be followed by another."),
    Family("dramatiq_message_rejects_total", "counter", _DRAMATIQ, "Jobs that failed for good."),
    Family("dramatiq_messages_inprogress", "gauge", _DRAMATIQ, "Attempts that run."),
    Family("dramatiq_delayed_messages_inprogress", "gauge", _DRAMATIQ, "Always absent: delayed jobs wait in the database."),
    Family("dramatiq_message_duration_milliseconds", "histogram", _DRAMATIQ, "Durations of attempts, in whole milliseconds."),
)  # fmt: skip

ALL = (*DATABASE, *WORKER, *DRAMATIQ)


def samples(url: str) -> list[Sample]:
    return [sample for family in read(url) for sample in family.samples]
