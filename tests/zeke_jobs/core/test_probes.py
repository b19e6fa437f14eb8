"""Processes answer a container's probes, and a probe costs little."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.zeke_jobs.commands import Patch
from zeke_jobs.cli import main
from zeke_jobs.core import probes


@pytest.fixture
def folder(monkeypatch: Patch) -> Iterator[str]:
    made = tempfile.mkdtemp(prefix="zeke-run-")  # The path of a socket may have about a hundred characters.
    monkeypatch.setenv("ZEKE_JOBS_RUN", made)
    yield made
    shutil.rmtree(made)


def test_many_that_stand_still_take_no_longer(folder: str, monkeypatch: Patch, capsys: Any) -> None:
    monkeypatch.setattr(probes, "_ANSWER_WITHIN", 0.5)
    frozen = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    for number, one in enumerate(frozen):
        one.bind(f"{folder}/scheduler-{number}.sock")
        one.listen()
    probes.answer("worker", lambda: ("", ""))
    begun = time.monotonic()
    is_fine, said = probes.ask("live", folder)
    assert time.monotonic() - begun < 2
    assert not is_fine
    assert said.count("does not answer within 0.5 s") == 8
    assert said.endswith(f"worker-{os.getpid()} is live")
    for one in frozen:
        one.close()
    monkeypatch.setattr(os, "listdir", lambda _folder: Path("/nowhere").stat())
    assert probes.main("live") == 1
    assert "expected a folder that can be read in ZEKE_JOBS_RUN, got" in capsys.readouterr().out


def test_each_process_in_the_folder_must_be_fine_and_asking_imports_next_to_nothing(folder: str) -> None:
    code = "import sys; before = set(sys.modules); sys.argv[1:] = ['health', '--live']\nfrom zeke_jobs.cli import main\ntry: main()\nexcept SystemExit: print(sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    env = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "ZEKE_JOBS_RUN": folder}
    done = subprocess.run([sys.executable, "-S", "-c", code], env=env, capture_output=True, text=True, check=True)
    assert "got none" in done.stdout
    assert not {"typing", "re", "pathlib", "typer", "psycopg2", "dramatiq"} & set(eval(done.stdout.splitlines()[-1]))
    assert "zeke_jobs" in done.stdout
    with socket.socket(socket.AF_UNIX) as earlier:  # A process in an earlier container of the pod had the same id.
        earlier.bind(f"{folder}/worker-{os.getpid()}.sock")
    assert probes.ask("live", folder) == (False, f"expected a worker or scheduler that answers in {folder}, got none")
    probes.answer("worker", lambda: ("", "waits for the database"))
    me = f"worker-{os.getpid()}"
    assert probes.ask("live", folder) == (True, f"{me} is live")
    assert probes.ask("ready", folder) == (False, f"{me} waits for the database")
    probes.answer("scheduler", lambda: ("is stuck", ""))
    assert probes.ask("live", folder) == (False, f"scheduler-{os.getpid()} is stuck; {me} is live")
    assert probes.ask("ready", folder) == (False, f"scheduler-{os.getpid()} is ready; {me} waits for the database")


def test_no_folder_for_sockets_is_refused(monkeypatch: Patch, capsys: Any) -> None:
    monkeypatch.delenv("ZEKE_JOBS_RUN", raising=False)
    for option in ("--live", "--ready"):
        with pytest.raises(SystemExit, match="2"):
            main(["health", option])
        assert "in ZEKE_JOBS_RUN, got nothing" in capsys.readouterr().err
