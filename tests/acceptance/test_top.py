"""``zeke-jobs top`` runs in a real terminal. Keys pause a task and cancel a job; screens of two sizes are readable."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

import psutil
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import Fleet, eventually, scalar
from zeke_jobs import config
from zeke_jobs.revisions import applying

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: apt-get install tmux")
JOBS = """
    version: 1
    tasks:
      analyze-story: {handler: "H:query", concurrency: 1, timeout: 5m}
      extract-highlights: {handler: "H:work", cron: "0 6 * * *"}
      fetch-content: {handler: "H:grumble", retry: {limit: 0}}
    """
#: The script runs ``top``, and prints its status and whether the terminal is unchanged.
AROUND = """trap : INT; before=$(stty -g); "$0" top; status=$?
  [ "$before" = "$(stty -g)" ] && echo ended $status as it was; sleep 60"""


class Terminal:
    """``top`` runs in a window of a tmux server; COLUMNS and LINES in its environment do not fit the window."""

    def __init__(self, fleet: Fleet) -> None:
        self.tmux = ["tmux", "-S", str(fleet.folder / "tmux.socket"), "-f", "/dev/null"]
        env = {"COLUMNS": "20", "LINES": "5", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "HOME": str(fleet.folder)}
        env["DATABASE_URL"] = fleet.database
        set_env = [part for name, value in env.items() for part in ("-e", f"{name}={value}")]
        command = shlex.join(["sh", "-c", AROUND, str(Path(sys.executable).parent / "zeke-jobs")])
        self.run("new-session", "-d", "-x", "80", "-y", "24", *set_env, command)
        self.run("set-option", "remain-on-exit", "on")

    def run(self, *arguments: str) -> str:
        done = subprocess.run([*self.tmux, *arguments], check=True, capture_output=True, text=True, timeout=30)
        return done.stdout

    def wait_for(self, words: str) -> list[str]:
        eventually(lambda: words in self.logs(), 60, self, every=0.1)
        return self.logs().split("\n")

    def logs(self) -> str:
        return self.run("capture-pane", "-p")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.run("kill-server")


def test_keys_pause_a_task_open_a_job_and_cancel_one(fleet: Fleet, effects: Connection) -> None:
    fleet.serve(JOBS, effects)
    running = zeke_jobs.send("analyze-story").id
    waiting = zeke_jobs.send("analyze-story").id
    eventually(lambda: zeke_jobs.status(running).status == "active", 60, fleet)
    with Terminal(fleet) as top:
        top.wait_for(str(running)[-8:])
        for keys, words in (
            (["p"], "pause task/analyze-story?"), (["y"], "task/analyze-story is paused"), ([], "‖ analyze-story"),
            (["3"], str(waiting)), (["Enter"], "task/analyze-story is paused by"), (["Escape"], "3 waiting of analyze-story"),
            (["2"], "2 running"), (["c"], f"cancel {running}?"), (["y"], f"{running}: "),  # "running, and being stopped", or "cancelled" if the worker was quick
        ):  # fmt: skip
            if keys:
                top.run("send-keys", *keys)
            top.wait_for(words)
        assert scalar(effects, "SELECT target FROM zeke_jobs.pause") == "task/analyze-story"
        eventually(lambda: zeke_jobs.status(running).status == "cancelled", 60, fleet)
        top.run("send-keys", "q")
        top.wait_for("ended 0 as it was")


def test_the_screen_follows_the_terminals_size_and_gives_it_back_at_a_signal(fleet: Fleet, conn: Connection) -> None:
    applying.sync(conn, config.load(fleet.configure(JOBS)))
    with Terminal(fleet) as top:
        lines = top.wait_for("1 tasks")
        assert [line.split()[0] for line in lines[2:5]] == ["analyze-story", "extract-highlights", "fetch-content"]
        assert lines[23].rstrip().endswith("q quit")
        top.run("set-option", "window-size", "manual")
        top.run("resize-window", "-x", "100", "-y", "40")
        top.wait_for("7 workers")
        eventually(lambda: top.logs().split("\n")[39].rstrip().endswith("q quit"), 60)
        children = psutil.Process(int(top.run("display-message", "-p", "#{pane_pid}"))).children(recursive=True)
        next(child for child in children if "zeke-jobs" in " ".join(child.cmdline())).terminate()
        assert "1 tasks" not in "\n".join(top.wait_for("ended 143 as it was"))
