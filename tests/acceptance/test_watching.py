"""Health checks fail if a part does not work. Collectors, Prometheus and the dashboard get traces, logs and metrics."""

import json
import re
import shutil
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.actors.scripted_site import Answer, Asked, Loopback
from tests.fleet import ROOT, Fleet, eventually, free_port, scalar
from tests.zeke_jobs.commands import Cli
from tests.zeke_jobs.metrics.conftest import ALL, DRAMATIQ, WORKER
from zeke_jobs.diagnosis.fleet import health_of_processes
from zeke_jobs.metrics.exposition import DATABASE

Health = Callable[..., tuple[int, str]]


@pytest.fixture
def health(cli: Cli, database: str) -> Health:
    """Run ``zeke-jobs health`` in this process; return its exit status and output."""
    return lambda *arguments: ((ran := cli("health", *arguments)).status, ran.out + ran.err)


def test_a_worker_is_fine_until_it_proves_life_no_more_or_its_database_is_away(
    fleet: Fleet, conn: Connection, health: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert health("worker") == (1, f"expected a worker on {socket.gethostname()}, got none\n")
    worker = fleet.serve("work: {handler: 'H:work'}", conn, processes=2)
    status, said = health("worker")
    assert (status, said.startswith("2 of 2 worker processes on")) == (0, True)
    assert health("worker", "--host", "elsewhere")[0] == 1
    assert health("wörker")[0] == 2
    assert fleet.run("zeke-jobs", "health", "worker").wait() == 0  # A container runs the health check as a command.
    worker.kill()
    eventually(lambda: not health_of_processes(fleet.database, "worker")[0], 30, fleet)
    assert health("worker")[0] == 1
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    status, said = health("worker")
    assert (status, "the database does not answer" in said) == (1, True)


class Collector(Loopback):
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


DOCKER = ROOT / "docker"
DASHBOARD = json.loads((DOCKER / "grafana/dashboards/zeke-jobs.json").read_text())
TASKS = """
    version: 1
    limits: {ai: {concurrency: 4, rate: 600/m, tokens: {rate: 90000/m}}}
    tasks:
      work: {handler: "H:work", concurrency: 3, max_wait: 2m, uses: [ai], units: {tokens: 1}, cron: "0 0 1 1 *"}
      broken: {handler: "H:grumble", retry: {limit: 2, delay: 0s}}
"""


def get(port: int, path: str = "/metrics") -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return str(answer.read().decode())
    except urllib.error.URLError:
        return ""  # The exporter does not listen yet.


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Return the values of metrics; a key has the metric's name and its label values, sorted by label name."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name, *(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


def test_traces_logs_and_metrics_of_each_attempt_are_found_and_prometheus_answers_the_dashboard(
    fleet: Fleet, effects: Connection, health: Health, tmp_path: Path
) -> None:
    workers, exporter, blind = free_port(), free_port(), free_port()
    how: dict[str, Any] = {"ZEKE_JOBS_METRICS": f"127.0.0.1:{workers}", "TMPDIR": str(fleet.folder)}
    with Collector() as collector:
        serving = fleet.serve(TASKS, effects, processes=2, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **how)
        exporting = fleet.run("zeke-jobs", "metrics", "--listen", f"127.0.0.1:{exporter}")
        fleet.run("zeke-jobs", "metrics", "--listen", f"127.0.0.1:{blind}", DATABASE_URL="postgresql://x@127.0.0.1:1/x")
        zeke_jobs.send_many("work", [{"n": n} for n in range(20)])
        failing = str(zeke_jobs.send("broken", {"n": 7}).id)
        ended = "SELECT count(*) FROM zeke_jobs.queue WHERE completed_on IS NOT NULL"
        eventually(lambda: scalar(effects, ended) == 21, 60, fleet)

        # ── ``zeke-jobs health`` asks for the metrics at an address
        def ask(port: int) -> tuple[int, str]:
            return health(f"http://127.0.0.1:{port}/metrics", "--contains", "zeke_jobs_up 1.0")

        eventually(lambda: ask(exporter)[0] == 0, 60, fleet)
        eventually(lambda: "expected 'zeke_jobs_up 1.0' in the answer" in ask(blind)[1], 60, fleet)
        assert (ask(blind)[0], ask(free_port())[0]) == (1, 1)

        # ── workers count attempts by outcome, and the exporter reads the database
        beat = "INSERT INTO zeke_jobs.schedule_beat (beat_on, scheduler) VALUES (now(), gen_random_uuid())"
        effects.cursor().execute(beat)  # A scheduler writes a row of schedule_beat each minute.
        counted = eventually(lambda: samples(get(workers)), 30, fleet)
        expected = {
            ("zeke_jobs_attempts_total", "completed", "default", "work"): 20, ("zeke_jobs_attempts_total", "retry", "default", "broken"): 2,
            ("zeke_jobs_attempts_total", "failed", "default", "broken"): 1, ("zeke_jobs_attempt_seconds_count", "default", "work"): 20,
            ("dramatiq_messages_total", "work", "default"): 20, ("dramatiq_message_errors_total", "broken", "default"): 3,
            ("dramatiq_message_retries_total", "broken", "default"): 2, ("dramatiq_message_rejects_total", "broken", "default"): 1,
        }  # fmt: skip
        assert {name: counted[name] for name in expected} == expected
        assert sum(value for name, value in counted.items() if name[0] == "dramatiq_messages_inprogress") == 0
        assert counted[("zeke_jobs_threads_lost",)] == 0
        assert documented(counted) <= {family.name for family in (*WORKER, *DRAMATIQ)}
        read = samples(get(exporter))
        assert read["zeke_jobs_processes", "worker", "live"] == 2
        assert read["zeke_jobs_failed_last_hour", "default", "broken"] == 1
        assert documented(read) <= {family.name for family in DATABASE}
        folders = list(fleet.folder.glob("zeke-jobs-metrics-*"))
        assert [oct(folder.stat().st_mode & 0o777) for folder in folders] == ["0o700"]
        if shutil.which("prometheus"):
            targets = {"zeke-jobs": exporter, "zeke-jobs-workers": workers}
            prometheus_answers_every_query_of_the_dashboard(targets, fleet, tmp_path)
        assert (serving.stop(30), exporting.stop(30)) == (0, 0)
        eventually(lambda: len(collector.spans) >= 23, 30, fleet)

    # ── each log line of the failed job names the job's trace
    lines = [json.loads(line) for line in serving.text().splitlines() if failing in line]
    said = [(line["event"], line["logger"], line["attempt"]) for line in lines]
    assert said == [
        (event, logger, attempt)
        for attempt, end in ((1, "will be retried"), (2, "will be retried"), (3, "failed"))
        for event, logger in (("a library grumbles", "a.library"), ("the handler grumbles", "zeke_jobs.job"), (end, "zeke_jobs.executor"))
    ]  # fmt: skip
    assert {line["job_id"] for line in lines} == {failing}
    sent = {(service, name) for service, name, _ in collector.spans}
    assert sent == {("zeke-jobs", "process broken"), ("zeke-jobs", "process work")}
    traces = {trace for _, name, trace in collector.spans if name == "process broken"}
    assert {line["trace_id"] for line in lines} == traces


def documented(found: dict[tuple[str, ...], float]) -> set[str]:
    return {re.sub(r"_(bucket|count|sum|created)$", "", name[0]) for name in found}


def queries() -> list[str]:
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    found += [one["expr"] for one in DASHBOARD["annotations"]["list"]]
    found += [one["query"].partition("(")[2].partition(",")[0] for one in DASHBOARD["templating"]["list"]]
    return [query.replace("$task", ".*").replace("$__rate_interval", "20s") for query in found]


#: The queries in EMPTY have no values while there is no fault.
EMPTY = {query for query in queries() if "ALERTS" in query or "cost" in query}


def test_the_dashboard_asks_for_nothing_that_is_not_exported_and_leaves_out_little() -> None:
    shown = " ".join(queries())
    asked = {re.sub(r"_bucket$", "", name) for name in re.findall(r"\b(?:zeke_jobs|dramatiq)_[a-z_]+", shown)}
    assert asked <= {family.name for family in ALL}
    left_out = [family.name for family in (*DATABASE, *WORKER) if family.name not in shown]
    assert left_out == ["zeke_jobs_paused", "zeke_jobs_serving_threads", "zeke_jobs_limit_closed"]


def prometheus_answers_every_query_of_the_dashboard(targets: dict[str, int], fleet: Fleet, tmp_path: Path) -> None:
    port = free_port()
    config = yaml.safe_load((DOCKER / "prometheus/prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = []
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{targets[job['job_name']]}"]}]
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    files = (f"--config.file={tmp_path}/prometheus.yaml", f"--storage.tsdb.path={tmp_path}/tsdb")
    prometheus = fleet.run(str(shutil.which("prometheus")), *files, f"--web.listen-address=127.0.0.1:{port}")

    def result(query: str) -> Any:
        text = get(port, "/api/v1/query?" + urllib.parse.urlencode({"query": query}))
        return text and json.loads(text)["data"]["result"]

    answered = set(queries()) - EMPTY
    eventually(lambda: all(result(query) for query in answered), 60, fleet)
    assert [query for query in EMPTY if result(query) != []] == []
    prometheus.stop(30)
