"""The commands and probes in docker/kubernetes and docs/running.md work; these tests need no Kubernetes and no Docker."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import yaml
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.acceptance.conftest import OwnServer
from tests.acceptance.handlers import TABLES
from tests.fleet import ROOT, Command, Fleet, eventually, fleet, open_folder, query, scalar
from tests.test_docker import compose_accepts
from tests.zeke_jobs.postgres.members import MEMBERS, sign_up
from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import connect

BIN = Path(sys.executable).parent
FOLDER = ROOT / "docker" / "kubernetes"
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    (one["kind"], one["metadata"]["name"]): one
    for path in sorted(FOLDER.glob("*.yaml"))
    for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))
}
EACH = 1.0  # Kubelet runs a probe at most once in EACH seconds.
DEPLOYMENTS = ("zeke-jobs-worker", "zeke-jobs-scheduler")
TASKS = "work: {handler: 'H:effect', log: failed}"


class Kubelet:
    def __init__(self, pod: dict[str, Any], fleet: Fleet, secrets: dict[str, str], run: str) -> None:
        self.pod, self.fleet = pod, fleet
        (self.container,) = pod["containers"]
        mounts = {mount["mountPath"] for mount in self.container.get("volumeMounts", ())}
        self.env = {}
        for one in self.container["env"]:
            value = one.get("value") or secrets[one["valueFrom"]["secretKeyRef"]["key"]]
            self.env[one["name"]] = run if value in mounts else value

    def start(self) -> Command:
        return self.fleet.run(*self.container["command"], **self.env)

    def probe(self, kind: str) -> bool:
        """Run a probe within the time that the manifest allows, and say whether its exit status is 0."""
        program, *words = self.container[f"{kind}Probe"]["exec"]["command"]
        env, longest = {"PATH": os.environ["PATH"], **self.env}, self.container[f"{kind}Probe"]["timeoutSeconds"]
        done = subprocess.run([BIN / program, *words], env=env, capture_output=True, timeout=longest, check=False)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode == 0

    def stop(self, main: Command) -> int:
        """Run preStop if the container has it, and send SIGTERM; return the exit status within the grace period."""
        began = time.monotonic()
        if hook := self.container.get("lifecycle", {}).get("preStop"):
            subprocess.run(hook["exec"]["command"], env={**os.environ, **self.env}, check=True)
        return main.stop(self.pod["terminationGracePeriodSeconds"] - (time.monotonic() - began))


def pod_of(name: str, kind: str = "Deployment") -> dict[str, Any]:
    pod: dict[str, Any] = OBJECTS[kind, name]["spec"]["template"]["spec"]
    return pod


def test_pods_outlive_an_outage_of_the_database_and_stop_in_their_grace(own_server: OwnServer, tmp_path: Path) -> None:
    url = own_server.url
    with fleet(tmp_path, url) as started, open_folder("run") as run:
        started.configure(TASKS)
        secrets = {"DATABASE_URL": url}
        migrate = Kubelet(pod_of("zeke-jobs-migrate", "Job"), started, secrets, str(run))
        worker, scheduler = (Kubelet(pod_of(name), started, secrets, f"{run}/{name}") for name in DEPLOYMENTS)
        pods = [worker, scheduler]
        assert migrate.start().wait(60) == 0, started.logs()
        with closing(connect(url)) as conn:
            query(conn, TABLES)
        assert not worker.probe("startup")
        mains = [pod.start() for pod in pods]
        eventually(lambda: all(pod.probe("startup") for pod in pods), 60, started, every=EACH)
        eventually(lambda: worker.probe("readiness"), 30, started, every=EACH)

        own_server.crash()
        eventually(lambda: not worker.probe("readiness"), 70, started, every=EACH)
        assert worker.probe("liveness")
        assert scheduler.probe("liveness")
        own_server.start()
        eventually(lambda: worker.probe("readiness"), 70, started, every=EACH)
        assert worker.probe("liveness")

        # The liveness probe fails if the worker's interpreter hangs.
        (child,) = (one for one in psutil.Process(mains[0].pid).children() if "dramatiq" in " ".join(one.cmdline()))
        child.suspend()
        assert not worker.probe("liveness")
        child.resume()
        assert worker.probe("liveness")

        with closing(connect(url)) as conn:
            job = zeke_jobs.send("work", {"seconds": 3}).id  # The job is finished before the stop.
            eventually(lambda: scalar(conn, "SELECT count(*) FROM trace") == 1, fleet=started)
            assert [pod.stop(main) for pod, main in zip(pods, mains, strict=True)] == [0, 0], started.logs()
            assert zeke_jobs.status(job).status == "completed"
            assert scalar(conn, "SELECT count(*) FROM zeke_jobs.worker") == 0
        assert not worker.probe("liveness")


def test_the_manifests_are_these_and_each_budget_selects_the_pods_of_a_deployment() -> None:
    """This test reads names and selectors; ``nox -s kubernetes`` checks all fields of the manifests."""
    budgets = {("PodDisruptionBudget", name) for name in DEPLOYMENTS}
    assert set(OBJECTS) == budgets | {("Deployment", name) for name in DEPLOYMENTS} | {
        ("Job", "zeke-jobs-migrate"), ("CronJob", "zeke-jobs-nightly"),
        ("ScaledObject", "zeke-jobs-worker"), ("TriggerAuthentication", "zeke-jobs-keda"),
    }  # fmt: skip
    for name in DEPLOYMENTS:
        deployment, budget = OBJECTS["Deployment", name]["spec"], OBJECTS["PodDisruptionBudget", name]["spec"]
        assert deployment["selector"] == budget["selector"]
        assert deployment["template"]["metadata"]["labels"] == budget["selector"]["matchLabels"]
        # Without AlwaysAllow, an outage of the database would block the draining of a node.
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert OBJECTS["Deployment", "zeke-jobs-scheduler"]["spec"]["replicas"] == 2


def test_workers_have_as_long_to_stop_as_they_are_told_to_take() -> None:
    batch = OBJECTS["CronJob", "zeke-jobs-nightly"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    for pod, option, unit in ((pod_of("zeke-jobs-worker"), "--worker-shutdown-timeout", 1000), (batch, "--grace", 1)):
        command = pod["containers"][0]["command"]
        assert pod["terminationGracePeriodSeconds"] >= int(command[command.index(option) + 1]) / unit + 20


def test_keda_gets_a_number_from_a_login_that_only_reads(conn: Connection, database: str) -> None:
    # The ScaledObject and its postgresql trigger have only keys that KEDA 2 accepts.
    scaled = dict(OBJECTS["ScaledObject", "zeke-jobs-worker"]["spec"])
    [(name, target)], [trigger] = scaled.pop("scaleTargetRef").items(), scaled.pop("triggers")
    assert (name, ("Deployment", target) in OBJECTS) == ("name", True)
    assert scaled.keys() <= {"minReplicaCount", "maxReplicaCount", "pollingInterval", "cooldownPeriod"}
    assert all(type(number) is int and number >= 0 for number in scaled.values())
    assert (trigger.keys(), trigger["type"]) == ({"type", "metadata", "authenticationRef"}, "postgresql")
    least, said = {"query", "targetQueryValue"}, trigger["metadata"]
    assert least <= said.keys() <= least | {"activationTargetQueryValue"}
    assert all(type(text) is str for text in said.values())
    [(name, reference)] = trigger["authenticationRef"].items()
    assert name == "name"
    authentication = OBJECTS["TriggerAuthentication", reference]
    assert [one["parameter"] for one in authentication["spec"]["secretTargetRef"]] == ["connection"]
    command = pod_of(target)["containers"][0]["command"]
    assert f"'{command[command.index('--queues') + 1]}'" in said["query"]
    sign_up(conn)
    with conn.cursor() as cursor:
        cursor.execute(f"SET SESSION AUTHORIZATION {MEMBERS[roles.READER]}")
        cursor.execute(said["query"])
        assert cursor.fetchone() == (0,)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT message FROM zeke_jobs.queue")


# ── docs/running.md: the page's commands run tasks, and Compose accepts the page's file

PAGE = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL))
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILES["compose.yaml"])["services"]
COMMAND: list[str] = json.loads(re.findall(r"^CMD (.*)$", FILES["Dockerfile"], re.MULTILINE)[0])


def test_compose_accepts_the_file_once_the_password_is_set(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    compose_accepts(tmp_path / "compose.yaml")


def test_the_commands_run_the_first_task_of_init_in_the_order_of_the_file(new_database: Any, tmp_path: Path) -> None:
    assert {"COPY . .", "USER 10001:10001"} < {*FILES["Dockerfile"].splitlines()}
    assert SERVICES["worker"].get("command") is None, "the worker runs the command of the Dockerfile"
    grace = int(COMMAND[COMMAND.index("--worker-shutdown-timeout") + 1]) / 1000
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) >= grace + 20
    with fleet(tmp_path, new_database(), ZEKE_JOBS_ENVIRONMENT="production", ZEKE_JOBS_HEARTBEAT="5") as up:

        def done(*command: str) -> bool:
            return up.run(*command).wait(60) == 0

        assert done("zeke-jobs", "init", "."), up.logs()
        assert done(*SERVICES["migrate"]["command"]), up.logs()
        worker, scheduler = up.run(*COMMAND), up.run(*SERVICES["scheduler"]["command"])
        worker.wait_for("Worker process is ready")
        sent = up.run("zeke-jobs", "send", "greet", "name=Ada", "--wait", "--timeout", "60s")
        assert sent.wait(60) == 0, up.logs()
        assert '"Hello, Ada"' in sent.text()
        for service in ("worker", "scheduler"):
            check = SERVICES[service]["healthcheck"]["test"]
            eventually(lambda check=check: done(*check[1:]), fleet=up, every=1.0)  # type: ignore[misc]
        assert (worker.stop(), scheduler.stop()) == (0, 0), up.logs()
