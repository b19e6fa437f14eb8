"""A trace goes from the caller's span over the send to the handler, and to the jobs that the handler sends."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import messaging_attributes as messaging
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import StatusCode

import zeke_jobs
from tests.zeke_jobs.worker.conftest import Jobs, Patch, Running, ended, one_worker
from zeke_jobs.client import tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer


TASKS = """
  echo: {handler: 'H:echo'}
  echo-async: {handler: 'H:echo_async'}
  fail: {handler: 'H:fail', retry: {limit: 1, delay: 1ms}}
  chain: {handler: 'F:chain'}
"""
worker = one_worker(TASKS)
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Traces:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer: Tracer = provider.get_tracer("test")

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def span(self, name: str) -> ReadableSpan:
        [span] = self.spans(name)
        return span


@pytest.fixture
def traces(monkeypatch: Patch) -> Traces:
    made = Traces()
    monkeypatch.setattr(tracing, "tracer", lambda: made.tracer)
    return made


def is_child(child: ReadableSpan, parent: ReadableSpan) -> bool:
    above = child.parent
    return above is not None and (above.trace_id, above.span_id) == (parent.context.trace_id, parent.context.span_id)


@pytest.mark.parametrize("handler", ["F:chain", "tests.zeke_jobs.worker.coroutines:forward"])
def test_one_trace_from_the_caller_to_the_follow_up(running: Running, traces: Traces, jobs: Jobs, handler: str) -> None:
    with running(TASKS.replace("F:chain", handler)):
        with traces.tracer.start_as_current_span("POST /stories"):
            job = zeke_jobs.send("chain", {"n": 1})
        zeke_jobs.wait(job.id, timeout=30)
        [sent] = jobs.rows("SELECT message_id FROM zeke_jobs.queue WHERE parent = %s", job.id)
        zeke_jobs.wait(sent["message_id"], timeout=30)
    names = ["POST /stories", "send chain", "process chain", "send echo", "process echo"]
    chain = [traces.span(name) for name in names]
    assert all(is_child(child, parent) for parent, child in pairwise(chain))
    attributes = dict(traces.span("process chain").attributes or {})
    assert attributes["messaging.message.id"] == str(job.id)
    assert (attributes["zeke_jobs.attempt"], attributes["zeke_jobs.outcome"]) == (1, "completed")


@pytest.mark.usefixtures("worker")
def test_spans_have_the_attributes_of_the_conventions(traces: Traces) -> None:
    job = zeke_jobs.send("echo", {"n": 1})
    zeke_jobs.wait(job.id, timeout=30)
    zeke_jobs.send_many("echo", [{"n": 1}, {"n": 2}])
    with pytest.raises(zeke_jobs.errors.InvalidPayload):
        zeke_jobs.send("echo", {"nobody": 1})
    one, many, refused = (dict(span.attributes or {}) for span in traces.spans("send echo"))
    both = {
        messaging.MESSAGING_SYSTEM: "zeke_jobs",
        messaging.MESSAGING_DESTINATION_NAME: "echo",
        "zeke_jobs.task": "echo",
    }
    name, kind = messaging.MESSAGING_OPERATION_NAME, messaging.MESSAGING_OPERATION_TYPE
    kinds = messaging.MessagingOperationTypeValues
    sending = {**both, name: "send", kind: kinds.SEND.value}
    assert one == {**sending, messaging.MESSAGING_MESSAGE_ID: str(job.id)}
    assert many == {**sending, messaging.MESSAGING_BATCH_MESSAGE_COUNT: 2}
    assert refused == {**sending, ERROR_TYPE: "InvalidPayload"}
    processing = dict(traces.spans("process echo")[0].attributes or {})
    expected = {**both, name: "process", kind: kinds.PROCESS.value, messaging.MESSAGING_MESSAGE_ID: str(job.id)}
    assert processing.items() >= expected.items()


@pytest.mark.usefixtures("worker")
def test_each_attempt_is_a_span_and_failed_ones_say_so(traces: Traces) -> None:
    ended(zeke_jobs.send("fail").id)
    attempts = traces.spans("process fail")
    assert [dict(span.attributes or {})["zeke_jobs.outcome"] for span in attempts] == ["retry", "failed"]
    assert all(is_child(span, traces.span("send fail")) for span in attempts)
    assert {span.status.status_code for span in attempts} == {StatusCode.ERROR}
    [event] = attempts[-1].events
    said = dict(event.attributes or {})
    assert (event.name, said["exception.type"]) == ("exception", "ValueError")
    assert said["exception.message"] == "no luck with 0"
    assert "in fail\n" in str(said["exception.stacktrace"])


def test_many_jobs_and_a_statement_carry_the_trace_too(jobs: Jobs, traces: Traces) -> None:
    jobs.use(TASKS)
    sent = zeke_jobs.send_many("echo", [{"n": 1}, {"n": 2}])
    with traces.tracer.start_as_current_span("caller") as caller:
        sql, params = zeke_jobs.statement("echo", {"n": 3}, style="pyformat")
    with jobs.conn.cursor() as cursor:
        cursor.execute(sql, params)
        [[last]] = cursor.fetchall()
    many = f"{traces.span('send echo').context.trace_id:032x}"
    assert [carried(jobs, job.id) for job in sent] == [many, many]
    assert carried(jobs, last) == f"{caller.get_span_context().trace_id:032x}"


def carried(jobs: Jobs, job: Any) -> str:
    return str(jobs.row(job)["message"]["options"]["traceparent"]).split("-")[1]


@pytest.mark.parametrize("said", [CALLER, "", "00-zz-1-01", "x" * 256])
def test_a_caller_in_sql_passes_its_context_and_nonsense_begins_one(table: Jobs, traces: Traces, said: str) -> None:
    [job] = table.add("echo-async", options=f'{{"traceparent": "{said}"}}')
    zeke_jobs.wait(job, timeout=30)
    parent = traces.span("process echo-async").parent
    found = None if parent is None else f"00-{parent.trace_id:032x}-{parent.span_id:016x}-01"
    assert found == (CALLER if said == CALLER else None)


def test_without_opentelemetry_in_the_program_nothing_is_loaded_and_nothing_carried(jobs: Jobs, database: str) -> None:
    jobs.use(TASKS)
    code = "import sys, zeke_jobs; zeke_jobs.send('echo'); print([name for name in sys.modules if 'opentelemetry' in name])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert jobs.rows("SELECT message -> 'options' AS options FROM zeke_jobs.queue") == [{"options": {}}]
