"""All that the files in docker/ name exists, and the programs that read the files accept them. No test needs Docker."""

import functools
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import distributions
from tests.fleet import ROOT
from zeke_jobs import config
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run
from zeke_jobs.supervise import reload

DOCKER = ROOT / "docker"
BIN = Path(sys.executable).parent
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "zeke-jobs"}
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
AI_BEGINS = "  # ── Insights"


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGINE_TOKEN", "x")  # The jobs.yaml of the image needs the variable.


def jobs_yaml_of_the_image() -> str:
    """Return jobs.yaml as the image changes it: with queues ``ingest`` and ``ai``, and the Engine in a container."""
    text = (ROOT / "jobs.yaml").read_text(encoding="utf-8")
    apart = '    kind: http\n    url: "http://engine:3010"\n    token: ${ENGINE_TOKEN}\n'
    text = re.sub(r"    kind: local # fetches.*\n", apart, text)
    ingest, ai = text.split(AI_BEGINS)
    handler = re.compile(r"^(    handler: .*\n)", re.MULTILINE)
    return handler.sub(r"\1    queue: ingest\n", ingest) + AI_BEGINS + handler.sub(r"\1    queue: ai\n", ai)


def test_the_images_jobs_yaml_is_the_repositorys_but_for_queues_and_the_engine() -> None:
    path = DOCKER / "jobs.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(jobs_yaml_of_the_image(), encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    assert text == jobs_yaml_of_the_image(), "run: UPDATE_GOLDEN=1 pytest tests/test_docker.py"
    started = [service["command"] for service in SERVICES.values() if is_worker(service)]
    served = {command[command.index("--queues") + 1] for command in started}
    assert served == {task.queue for task in config.load(path).tasks.values()} == {"ingest", "ai"}


def is_worker(service: dict[str, Any]) -> bool:
    return "dramatiq" in service.get("command", [])


def test_all_that_is_promised_runs_with_a_health_check_and_restarts() -> None:
    ours = {"migrate", "worker-ingest", "worker-ai", "scheduler", "engine", "metrics"}
    assert set(SERVICES) == ours | {"postgres", "pgbouncer", "prometheus", "grafana"}
    for name in set(SERVICES) - {"migrate"}:
        assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}, name
        assert SERVICES[name]["restart"] == "unless-stopped", name
    assert SERVICES["scheduler"]["deploy"]["replicas"] == 2
    assert "pgvector" in SERVICES["postgres"]["image"]


def test_no_network_leads_from_the_engine_to_the_database_and_only_what_must_is_outside() -> None:
    assert not set(SERVICES["engine"]["networks"]) & set(SERVICES["postgres"]["networks"])
    assert SERVICES["postgres"]["networks"] == ["database"]
    internal = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    assert internal == {"database", "engine", "metrics"}
    assert {name for name, service in OURS.items() if "outside" in service["networks"]} == {"engine", "worker-ai"}
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_our_containers_have_no_rights_no_disk_to_write_to_and_no_secret_that_is_written_down() -> None:
    for service in OURS.values():
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.search(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    assert "USER 0" not in DOCKERFILE
    text = (DOCKER / "compose.yaml").read_text()
    assert all(value.startswith("${") for value in re.findall(r"(?:PASSWORD|TOKEN): \"?(\S+)", text))
    assert set(re.findall(r"\$\{(\w+)", text)) == {"POSTGRES_PASSWORD", "ENGINE_TOKEN", "ZEKE_JOBS_ENVIRONMENT"}


def test_the_dashboard_looks_and_does_not_touch_and_is_on_this_machine_alone() -> None:
    service = yaml.safe_load((DOCKER / "dashboard.yaml").read_text())["services"]["dashboard"]
    assert service["command"][-1] == reload.DASHBOARD
    assert service["environment"] == {"DATABASE_URL": "${DASHBOARD_URL:?set it}", "PGBOSS_DASHBOARD_READ_ONLY": "1"}
    assert [port.startswith("127.0.0.1:") for port in service["ports"]] == [True]


def compose_accepts(*files: Path) -> None:
    """Check that Docker Compose accepts the files when their variables are set."""
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed")
    named = [one for file in files for one in ("--file", str(file))]
    command = ["docker-compose", "--project-directory", str(files[0].parent), *named, "config", "--quiet"]
    variables = {"POSTGRES_PASSWORD": "x", "DASHBOARD_URL": "postgresql://reader@postgres/zeke"}
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    without = subprocess.run(command, capture_output=True, text=True, check=False)
    assert without.returncode != 0
    assert "set it" in without.stderr


def test_docker_compose_accepts_the_files() -> None:
    compose_accepts(DOCKER / "compose.yaml")
    compose_accepts(DOCKER / "compose.yaml", DOCKER / "dashboard.yaml")


#: The image's path has the scripts of the project's wheels, which a test builds, and of two dependencies.
SCRIPTS = {"zeke-jobs", "zeke-news"}
PROGRAMS = SCRIPTS | {"dramatiq", "periodiq", "python"}


def test_each_command_exists_and_has_the_options_that_are_given() -> None:
    commands = [service["command"] for service in OURS.values()]
    commands += [service["healthcheck"]["test"][1:] for service in OURS.values() if "healthcheck" in service]
    commands.append(yaml.safe_load(re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)[0]))
    for program, *arguments in commands:
        assert program in PROGRAMS
        assert (BIN / program).exists()
        where = {"python": ["-m", "actors.engine"], "zeke-jobs": arguments[:1]}.get(program, [])
        said = help_of(str(BIN / program), *where)
        given = [argument for argument in arguments if argument.startswith("--")]
        assert [option for option in given if not re.search(rf"{option}\b", said)] == [], program


@functools.cache
def help_of(*command: str) -> str:
    if Path(command[0]).name == "zeke-jobs":  # A run in this process takes a tenth of the time.
        with redirect_stdout(io.StringIO()) as out:
            run(app, "zeke-jobs", [*command[1:], "--help"])
        return out.getvalue()
    return subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_wheels_build_of_what_the_image_copies_and_docker_is_sent_no_more(tmp_path: Path) -> None:
    lines = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    copied = [source for line in lines for source in line.split()]
    for source in copied:
        target = tmp_path / "src" / source
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, target)
    names, scripts = set[str](), set[str]()
    for folder in (tmp_path / "src", tmp_path / "src" / "actors"):
        wheel = zipfile.ZipFile(distributions.build(folder, tmp_path))
        [entries] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
        scripts |= set(re.findall(r"^([\w-]+) =", wheel.read(entries).decode(), re.MULTILINE))
        names |= set(wheel.namelist())
    assert scripts == SCRIPTS
    assert {"zeke_jobs/actors.py", "zeke_jobs/sql/migrations/0001_jobs.sql", "actors/engine/__main__.py"} <= names
    lines = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    sent = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert (lines[0], sent) == ("*", {source.rstrip("/") for source in copied})
    assert all((ROOT / source).exists() for source in copied)


SYSTEMD = sorted((DOCKER / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", SYSTEMD, ids=lambda unit: unit.name)
def test_a_unit_restarts_but_not_for_a_wrong_configuration_and_ends_what_it_left(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    # dramatiq ends with status 1 if one of its processes was killed. After status 2, a restart would fail again.
    wanted = {"Restart=always", "RestartPreventExitStatus=2", "StartLimitIntervalSec=0"}
    assert wanted | {"NoNewPrivileges=true", "ProtectSystem=strict"} <= set(lines)
    assert lines.index("StartLimitIntervalSec=0") < lines.index("[Service]")
    assert not {"KillMode=process", "KillMode=none"} & set(lines)
    [start] = [line.removeprefix("ExecStart=") for line in lines if line.startswith("ExecStart=")]
    program = Path(start.split()[0])
    assert program.name in PROGRAMS
    if program.name == "dramatiq":
        assert "KillMode=mixed" in lines


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for unit in SYSTEMD:
        text = unit.read_text().replace("/opt/zeke/bin", str(BIN)).replace("User=zeke", "User=root")
        (tmp_path / unit.name.replace("@", "@default")).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *sorted(str(path) for path in tmp_path.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_pgbouncer_has_the_database_of_the_compose_file_and_prometheus_scrapes_what_it_runs() -> None:
    text = (DOCKER / "pgbouncer/pgbouncer.ini").read_text()
    assert "pool_mode = transaction" in text
    database = SERVICES["postgres"]["environment"]["POSTGRES_DB"]
    assert f"{database} = host=postgres port=5432 dbname={database}" in text
    [port] = re.findall(r"listen_port = (\d+)", text)
    assert SERVICES["pgbouncer"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    scraped = yaml.safe_load((DOCKER / "prometheus/prometheus.yaml").read_text())["scrape_configs"]
    targets = {target for job in scraped for group in job["static_configs"] for target in group["targets"]}
    listening = {f"{name}:9191" for name, service in SERVICES.items() if is_worker(service)}
    assert targets == listening | {"metrics:9190"}
    assert all("metrics" in SERVICES[target.partition(":")[0]]["networks"] for target in targets)
    workers = [service["environment"] for service in SERVICES.values() if is_worker(service)]
    assert all(environment["ZEKE_JOBS_METRICS"].endswith(":9191") for environment in workers)
