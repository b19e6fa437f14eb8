import os
import signal
import subprocess
import sys
import textwrap

from tests.waiting import eventually
from tests.zeke_jobs.supervise.test_supervisor import STUBBORN, alive

GUARDED = """
import subprocess, sys, time
from zeke_jobs.supervise.guardian import Guardian
guardian = Guardian(0.3)
process = subprocess.Popen([sys.executable, "-u", "-c", sys.argv[1]], stdout=subprocess.PIPE, start_new_session=True)
process.stdout.readline()
guardian.tell([process.pid])
print(process.pid, flush=True)
time.sleep(60)
"""


def test_what_does_not_end_within_its_grace_is_killed() -> None:
    command = [sys.executable, "-c", GUARDED, textwrap.dedent(STUBBORN)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        owner.kill()
    try:
        eventually(lambda: not alive(pid), 10)
    finally:
        if alive(pid):
            os.killpg(pid, signal.SIGKILL)
