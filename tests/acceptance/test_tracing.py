"""A real worker sends its traces to a collector, and a failed job's log lines are found by its id."""

import json
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.actors.scripted_site import Answer, Asked, Loopback
from tests.fleet import Fleet, eventually
from zeke_jobs.errors import JobFailed

pytestmark = pytest.mark.acceptance

TASKS = "grumble: {handler: 'H:grumble', retry: {limit: 1, delay: 0s}}\nwork: {handler: 'H:work'}"


class Collector(Loopback):
    """An OpenTelemetry collector that keeps what it receives."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, str]] = []  # service, name, trace id
        super().__init__()

    def respond(self, asked: Asked) -> Answer:
        request = ExportTraceServiceRequest()
        request.ParseFromString(asked.body)
        for resource in request.resource_spans:
            names = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(names["service.name"], span.name, span.trace_id.hex()) for span in scope.spans]
        return Answer()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def of_attempt(number: int) -> list[tuple[str, str, int]]:
    return [("a library grumbles", "a.library", number), ("the handler grumbles", "zeke_jobs.job", number)]


def test_the_words_and_trace_of_a_failed_job_are_found(fleet: Fleet, effects: Connection, collector: Collector) -> None:
    worker = fleet.serve(TASKS, effects, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    job, other = zeke_jobs.send("grumble", {"n": 7}), zeke_jobs.send("work", {"n": 8})
    with pytest.raises(JobFailed):
        zeke_jobs.wait(job.id, timeout=60)
    zeke_jobs.wait(other.id, timeout=60)
    assert worker.stop(30) == 0
    lines = [json.loads(line) for line in worker.text().splitlines() if str(job.id) in line]
    said = [(line["event"], line["logger"], line["attempt"]) for line in lines]
    ends = (("will be retried", "zeke_jobs.executor", 1), ("failed", "zeke_jobs.executor", 2))
    assert said == [*of_attempt(1), ends[0], *of_attempt(2), ends[1]]
    assert {line["job_id"] for line in lines} == {str(job.id)}
    eventually(lambda: len(collector.spans) >= 3, 30, fleet)
    sent = {(service, name) for service, name, _ in collector.spans}
    assert sent == {("zeke-jobs", "process grumble"), ("zeke-jobs", "process work")}
    traces = {trace for _, name, trace in collector.spans if name == "process grumble"}
    assert {line["trace_id"] for line in lines} == traces
