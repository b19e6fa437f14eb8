import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.zeke_jobs.supervise.test_supervisor import STUBBORN

GUARDED = """
import subprocess, sys, time
from zeke_jobs.supervise.guardian import Guardian
guardian = Guardian(float(sys.argv[1]))
started = [subprocess.Popen([sys.executable, "-u", "-c", code], start_new_session=True) for code in sys.argv[2:]]
guardian.tell([process.pid for process in started])
print(*[process.pid for process in started], flush=True)
time.sleep(60)
"""


@pytest.fixture
def pids() -> Iterator[list[int]]:
    found: list[int] = []
    yield found
    for pid in found:
        if psutil.pid_exists(pid):
            os.killpg(pid, signal.SIGKILL)


@contextmanager
def owner(grace: float, *codes: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", GUARDED, str(grace), *map(textwrap.dedent, codes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process


def lines(process: subprocess.Popen[str], number: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(number)]


def ended(pid: int, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_what_does_not_end_within_its_grace_is_killed(pids: list[int]) -> None:
    with owner(0.3, STUBBORN) as process:
        pids.append(int(min(lines(process, 2))))
        process.kill()
        assert ended(pids[0])
