"""Health checks of containers fail when a part does not work, and collectors get the workers' traces and logs."""

import json
import socket
from collections.abc import Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.actors.scripted_site import Answer, Asked, Loopback
from tests.fleet import ROOT, Fleet, eventually, free_port
from tests.zeke_jobs.commands import Cli
from zeke_jobs.diagnosis.fleet import health_of_processes
from zeke_jobs.errors import JobFailed

Health = Callable[..., tuple[int, str]]
TASKS = "grumble: {handler: 'H:grumble', retry: {limit: 1, delay: 0s}}\nwork: {handler: 'H:work'}"


@pytest.fixture
def health(cli: Cli, database: str) -> Health:
    """Run ``zeke-jobs health`` in this process; return its exit status and output."""

    def ask(*arguments: str) -> tuple[int, str]:
        ran = cli("health", *arguments)
        return ran.status, ran.out + ran.err

    return ask


def test_a_worker_is_fine_until_it_proves_life_no_more(fleet: Fleet, conn: Connection, health: Health) -> None:
    assert health("worker") == (1, f"expected a worker on {socket.gethostname()}, got none\n")
    worker = fleet.serve("work: {handler: 'H:work'}", conn, processes=2)
    status, said = health("worker")
    assert (status, said.startswith("2 of 2 worker processes on")) == (0, True)
    assert health("worker", "--host", "elsewhere")[0] == 1
    assert fleet.run("zeke-jobs", "health", "worker").wait() == 0  # A container runs the health check as a command.
    worker.kill()
    eventually(lambda: not health_of_processes(fleet.database, "worker")[0], 30, fleet)
    assert health("worker")[0] == 1


def test_a_database_that_is_away_is_not_fine_nor_is_nonsense(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    status, said = health("worker")
    assert (status, "the database does not answer" in said) == (1, True)
    assert health("wörker")[0] == 2


def test_engine_and_exporter_are_asked_at_their_addresses(fleet: Fleet, health: Health) -> None:
    engine, exporter, blind = free_port(), free_port(), free_port()
    fleet.run("python", "-m", "actors.engine", "--port", str(engine), PYTHONPATH=str(ROOT))
    fleet.run("zeke-jobs", "metrics", "--listen", f"127.0.0.1:{exporter}")
    fleet.run("zeke-jobs", "metrics", "--listen", f"127.0.0.1:{blind}", DATABASE_URL="postgresql://x@127.0.0.1:1/x")

    def ask(port: int) -> tuple[int, str]:
        return health(f"http://127.0.0.1:{port}/metrics", "--contains", "zeke_jobs_up 1.0")

    eventually(lambda: health(f"http://127.0.0.1:{engine}/health", "--contains", "ok")[0] == 0, 60, fleet)
    eventually(lambda: ask(exporter)[0] == 0, 60, fleet)
    eventually(lambda: "expected 'zeke_jobs_up 1.0' in the answer" in ask(blind)[1], 60, fleet)
    assert ask(blind)[0] == 1
    assert ask(free_port())[0] == 1


class Collector(Loopback):
    """The OpenTelemetry collector keeps the received spans."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, str]] = []  # Each span has a service, a name and a trace id.
        super().__init__()

    def respond(self, asked: Asked) -> Answer:
        request = ExportTraceServiceRequest()
        request.ParseFromString(asked.body)
        for resource in request.resource_spans:
            names = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(names["service.name"], span.name, span.trace_id.hex()) for span in scope.spans]
        return Answer()


def test_the_words_and_trace_of_a_failed_job_are_found(fleet: Fleet, effects: Connection) -> None:
    with Collector() as collector:
        worker = fleet.serve(TASKS, effects, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        job, other = zeke_jobs.send("grumble", {"n": 7}), zeke_jobs.send("work", {"n": 8})
        with pytest.raises(JobFailed):
            zeke_jobs.wait(job.id, timeout=60)
        zeke_jobs.wait(other.id, timeout=60)
        assert worker.stop(30) == 0
        eventually(lambda: len(collector.spans) >= 3, 30, fleet)
    lines = [json.loads(line) for line in worker.text().splitlines() if str(job.id) in line]
    said = [(line["event"], line["logger"], line["attempt"]) for line in lines]
    assert said == [
        (event, logger, attempt)
        for attempt, end in ((1, "will be retried"), (2, "failed"))
        for event, logger in (("a library grumbles", "a.library"), ("the handler grumbles", "zeke_jobs.job"), (end, "zeke_jobs.executor"))
    ]  # fmt: skip
    assert {line["job_id"] for line in lines} == {str(job.id)}
    sent = {(service, name) for service, name, _ in collector.spans}
    assert sent == {("zeke-jobs", "process grumble"), ("zeke-jobs", "process work")}
    traces = {trace for _, name, trace in collector.spans if name == "process grumble"}
    assert {line["trace_id"] for line in lines} == traces
