"""A trace covers the caller, its job and the job's children. An attempt's last log lines are stored with its job."""

import io
import logging
import subprocess
import sys
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import messaging_attributes as messaging
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.trace import StatusCode, Tracer
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.waiting import eventually
from tests.zeke_jobs.sql import value
from tests.zeke_jobs.worker import conftest
from tests.zeke_jobs.worker.conftest import Jobs, Patch, Running, ended, one_worker
from tests.zeke_jobs.worker.handlers import CALLS, GATE
from zeke_jobs.client import tracing
from zeke_jobs.core import logs
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.claim.claims import Claim
from zeke_jobs.worker.finish.completer import CompletedLines
from zeke_jobs.worker.finish.outcome import Outcome
from zeke_jobs.worker.finish.writer import store_logs

TASKS = """
  echo: {handler: 'H:echo'}
  echo-async: {handler: 'H:echo_async'}
  fail: {handler: 'H:fail', retry: {limit: 1, delay: 1ms}}
  chain: {handler: 'H:chain'}
  forward: {handler: 'H:forward'}
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


@pytest.mark.parametrize("task", ["chain", "forward"])
def test_one_trace_from_the_caller_to_the_follow_up(traces: Traces, table: Jobs, task: str) -> None:
    with traces.tracer.start_as_current_span("POST /stories"):
        job = zeke_jobs.send(task, {"n": 1})
    zeke_jobs.wait(job.id, timeout=30)
    [sent] = table.rows("SELECT message_id FROM zeke_jobs.queue WHERE parent = %s", job.id)
    zeke_jobs.wait(sent["message_id"], timeout=30)
    names = ["POST /stories", f"send {task}", f"process {task}", "send echo", "process echo"]
    chain = [traces.span(name) for name in names]
    assert all(is_child(child, parent) for parent, child in pairwise(chain))
    attributes = dict(traces.span(f"process {task}").attributes or {})
    assert attributes["messaging.message.id"] == str(job.id)
    assert (attributes["zeke_jobs.attempt"], attributes["zeke_jobs.outcome"]) == (1, "completed")


@pytest.mark.usefixtures("worker")
def test_each_attempt_is_a_span_with_the_attributes_of_the_conventions(traces: Traces) -> None:
    job = zeke_jobs.send("echo", {"n": 1})
    zeke_jobs.wait(job.id, timeout=30)
    zeke_jobs.send_many("echo", [{"n": 1}, {"n": 2}])
    with pytest.raises(zeke_jobs.errors.InvalidPayload):
        zeke_jobs.send("echo", {"nobody": 1})
    one, many, refused = (dict(span.attributes or {}) for span in traces.spans("send echo"))
    task = dict.fromkeys((messaging.MESSAGING_DESTINATION_NAME, "zeke_jobs.task"), "echo")
    both = {messaging.MESSAGING_SYSTEM: "zeke_jobs", **task}
    name, kind = messaging.MESSAGING_OPERATION_NAME, messaging.MESSAGING_OPERATION_TYPE
    kinds = messaging.MessagingOperationTypeValues
    sending = {**both, name: "send", kind: kinds.SEND.value}
    assert one == {**sending, messaging.MESSAGING_MESSAGE_ID: str(job.id)}
    assert many == {**sending, messaging.MESSAGING_BATCH_MESSAGE_COUNT: 2}
    assert refused == {**sending, ERROR_TYPE: "InvalidPayload"}
    processing = dict(traces.spans("process echo")[0].attributes or {})
    expected = {**both, name: "process", kind: kinds.PROCESS.value, messaging.MESSAGING_MESSAGE_ID: str(job.id)}
    assert processing.items() >= expected.items()
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


def test_many_jobs_and_statements_carry_a_trace_if_there_is_one(jobs: Jobs, traces: Traces, database: str) -> None:
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
    code = "import sys, zeke_jobs; zeke_jobs.send('echo'); print([name for name in sys.modules if 'opentelemetry' in name])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    (sent_last,) = jobs.rows("SELECT message -> 'options' AS options FROM zeke_jobs.queue ORDER BY seq DESC LIMIT 1")
    assert sent_last == {"options": {}}


def carried(jobs: Jobs, job: Any) -> str:
    return str(jobs.row(job)["message"]["options"]["traceparent"]).split("-")[1]


@pytest.mark.parametrize("said", [CALLER, "", "00-zz-1-01", "x" * 256])
def test_a_caller_in_sql_passes_its_context_and_nonsense_begins_one(table: Jobs, traces: Traces, said: str) -> None:
    [job] = table.add("echo-async", options=f'{{"traceparent": "{said}"}}')
    zeke_jobs.wait(job, timeout=30)
    parent = traces.span("process echo-async").parent
    found = None if parent is None else f"00-{parent.trace_id:032x}-{parent.span_id:016x}-01"
    assert found == (CALLER if said == CALLER else None)


def kept(conn: Connection, job: Any) -> list[dict[str, Any]]:
    return SQL.all(conn, "job/log", id=job)


def test_an_attempt_that_fails_has_its_last_lines_and_all_or_none_have_theirs_where_the_task_wants_that(
    running: Running, conn: Connection, log: io.StringIO
) -> None:
    talks = "handler: 'H:talk', retry: {limit: 1, delay: 1ms}, log_lines: 3"
    tasks = f"  usual: {{{talks}}}\n  talk: {{{talks}, log: always}}\n  complete: {{handler: 'H:ends', log: always}}"
    tasks += "\n  chunk: {handler: 'tests.zeke_jobs.worker.test_chunks:each', chunk: {size: 2, wait: 5s}, log: always}"
    tasks += "\n  whisper: {handler: 'H:whisper', sensitive: [story_id], log: always}"
    tasks += "\n  never: {handler: 'H:talk', retry: {limit: 0}, log: never}\n  wait: {handler: 'H:gated'}"
    with running(tasks) as broker:
        usual = zeke_jobs.send("usual").id
        eventually(lambda: zeke_jobs.status(usual).retry_count == 1)
        (first,) = kept(conn, usual)  # The lines are stored no later than the outcome.
        talk, never = zeke_jobs.send("talk").id, zeke_jobs.send("never").id
        complete = zeke_jobs.send("complete", {"story_id": "complete"}).id
        for job in (usual, talk):
            zeke_jobs.wait(job, timeout=20)
        eventually(lambda: zeke_jobs.status(never).has_ended)
        eventually(lambda: len(kept(conn, talk)) == 2 and len(kept(conn, complete)) == 1)
        whispered = zeke_jobs.send("whisper", {"story_id": "sesame-123"}).id
        (found,) = eventually(lambda: kept(conn, whispered))
        for sent in zeke_jobs.send_many("chunk", [{"n": 1}, {"n": 2}]):
            eventually(partial(kept, conn, sent.id))
        CALLS.clear()
        late = zeke_jobs.send("wait").id
        eventually(lambda: CALLS == ["started"])
        claim: Any = broker.process.held.find(late)
        broker.process.settle(claim, Outcome("returned"), gives_up=True)  # as a worker that stops does
        (left,) = eventually(lambda: kept(conn, late))
        GATE.set()
    # Only the first attempt failed, so by default only the log lines of the first attempt are kept.
    assert [one["attempt"] for one in kept(conn, usual)] == [1]
    lines = first["lines"].split("\n")
    assert [line.partition("] ")[2] for line in lines] == ["step number=9", "step number=10", "half done"]
    assert first["dropped"] == 9
    assert "Traceback" in log.getvalue()
    assert "in talk" in log.getvalue()
    assert "at the gate" in left["lines"], "the handler ends after its job"
    assert [one["attempt"] for one in kept(conn, talk)] == [1, 2]
    assert kept(conn, never) == []
    assert found["lines"].count("[info] ***") == 2
    assert "sesame-123" not in found["lines"]


@pytest.mark.usefixtures("log")
def test_a_line_has_its_values_at_that_time_and_none_comes_for_a_job_that_is_gone(conn: Connection) -> None:
    changing, long = ["one"], "x" * 3_000
    with logs.capturing(10) as captured:
        logs.get_logger().info("given", values=changing, none=None, text="a b", number=1.5)
        logging.getLogger("library").warning("given %s \0", changing, extra={"more": changing})
        logs.get_logger().info(long)
        logs.get_logger().error("broke", exc_info=ValueError("no \0 luck"))
        changing.append("two")
    text, dropped = captured.read()
    first, second, third, fourth, error = (line.partition("] ")[2] or line for line in text.split("\n"))
    assert first == "given values=['one'] none=None text='a b' number=1.5"
    assert second == r"given ['one'] \x00 more=['one']"
    assert (len(text.split("\n")[2]), third[-1]) == (2_001, "…")
    assert (fourth, error, dropped) == ("broke", r"    ValueError: no \x00 luck", 0)
    gone = a_claim()
    with logs.capturing(1) as gone.log:
        logging.getLogger("late").info("too late")
    store_logs(conn, [gone])
    assert value(conn, "SELECT count(*) FROM zeke_jobs.job_log") == 0


def a_claim(**values: Any) -> Claim:
    job = UUID("01a21ebc-c810-7bd9-9f0b-58022d06086d")
    return conftest.a_claim(job, 1, "greet", received=10.0, started=10.5, done=12.5, **values)


def test_a_completed_job_is_a_line_up_to_ten_a_second(log: io.StringIO, monkeypatch: Patch) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "console")
    now = 5.0
    lines = CompletedLines(lambda: now)
    assert lines.log(a_claim(), Outcome("completed", '"Hello, Ada"'))
    assert 'greet 2d06086d completed in 2s: "Hello, Ada"' in log.getvalue()
    lines.log(a_claim(sensitive=("word",)), Outcome("completed", '"sesame"'))
    assert "sesame" not in log.getvalue()
    assert [lines.log(a_claim(), Outcome("completed")) for _ in range(12)].count(True) == 8
    now = 6.1
    assert lines.log(a_claim(), Outcome("completed"))
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "json")
    assert not CompletedLines().log(a_claim(), Outcome("completed")), "machines get sums"
