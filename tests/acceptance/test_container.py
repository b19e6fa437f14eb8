"""The containers of docs/running.md work without Docker: their commands run tasks, and Compose accepts the file."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from tests.fleet import ROOT, eventually, fleet
from tests.test_docker import compose_accepts

PAGE = (ROOT / "docs" / "running.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL))
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILES["compose.yaml"])["services"]
COMMAND: list[str] = json.loads(re.findall(r"^CMD (.*)$", FILES["Dockerfile"], re.MULTILINE)[0])


def test_the_dockerfile_has_ten_lines_at_most_and_all_that_the_folder_holds() -> None:
    lines = FILES["Dockerfile"].splitlines()
    assert len(lines) <= 10
    assert "COPY . ." in lines
    assert "USER 10001:10001" in lines
    assert SERVICES["worker"].get("command") is None


def test_compose_accepts_the_file_once_the_password_is_set(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    compose_accepts(tmp_path / "compose.yaml")


def test_the_commands_run_the_first_task_of_init_in_the_order_of_the_file(new_database: Any, tmp_path: Path) -> None:
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
