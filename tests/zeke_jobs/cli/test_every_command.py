"""Each command has help, output that suits its terminal, and errors with a next step. Hostile text has no effect."""

import io
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from functools import cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import typer.main
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import cases
from tests.zeke_jobs.commands import Cli, NewDatabase, Patch
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.cli.operation import up
from zeke_jobs.cli.output import listing
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import FINE, run
from zeke_jobs.revisions import applying
from zeke_jobs.revisions.proposal import Request

RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
FORGED = "  status    completed, says who"
HOSTILE = f"\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u202e\u2028\r[/b][red]\n{FORGED}\n"
TASKS = """
  echo: {handler: 'H:echo', max_wait: 1m, uses: [shared]}
  tick: {handler: 'H:echo', cron: '* * * * *'}
"""
TOP = "limits: {shared: {concurrency: 2}}"
#: The arguments make each command show the contents of the database; commands with --json also run with it.
COMMANDS: dict[str, list[tuple[str, ...]]] = {
    "apply": [("FILE", "-m", HOSTILE)],
    "audit": [(), ("--who", HOSTILE)],
    **{key: [("--from", "2020-01-01")] for key in ("backtest", "capacity")},
    "batch": [(), (HOSTILE,)],
    "cancel": [("QUEUED", "--reason", HOSTILE), (HOSTILE,)],
    "check": [("FILE",), ("BROKEN",)],
    "compare": [("1", "2")],
    "diff": [("1", "2"), ("1", "2", "--text")],
    "emit": [(HOSTILE, "1")],
    "health": [("worker", "--host", HOSTILE), (HOSTILE,)],
    "import": [(HOSTILE,)],
    "import pg-boss": [("--schema", HOSTILE, "--yes"), ("--map", f"{HOSTILE}=echo", "--yes")],
    "init": [("FOLDER",), ("FOLDER",)],
    "jobs": [(), ("--task", HOSTILE)],
    "pause": [("queue/default", "--reason", HOSTILE), (HOSTILE,)],
    "plan": [("FILE",)],
    "prioritise": [("QUEUED", "--priority", "2"), ("--task", HOSTILE, "--priority", "2"), (HOSTILE, "--priority", "2")],
    "reload": [(HOSTILE,)],
    "reschedule": [("QUEUED", "--delay", "1h"), ("--key", HOSTILE, "--run-at", HOSTILE)],
    "resume": [("queue/default",), (HOSTILE,)],
    "retry": [("FAILED",), ("--task", HOSTILE)],
    "rollback": [("1", "-m", HOSTILE)],
    "schedule": [(), ("--next", "1", HOSTILE)],
    "schedule backfill": [("tick", "--from", "2026-01-01T00:00", "--to", "2026-01-01T00:02"), (HOSTILE, "--from", "2026-01-01")],
    "schedule run": [("tick",), (HOSTILE,)],
    "send": [("echo", "n=1", "--key", HOSTILE), (HOSTILE,)],
    "set": [("echo.priority=3", "-m", HOSTILE), (HOSTILE,)],
    "show": [("1",)],
    "status": [("FAILED",), ("ACTIVE",), ("QUEUED",), (HOSTILE,)],
    **{key: [()] for key in ["doctor", "fleet", "history", "limits", "metrics", "migrate", "paused", "roles", "schema", "tasks"]},
    "top": [("--once",)],
    "uninstall": [("--yes", "--package", HOSTILE), ("--yes",)],  # The command uninstall runs last.
    **{key: [] for key in ("mcp", "up")},  # The MCP tools run the others with --json; another test covers ``up``.
    "logs": [("FAILED",), ("ACTIVE",)],
    "why": [("FAILED",), ("ACTIVE",), ("QUEUED",), (HOSTILE,)],
}  # fmt: skip
FULL = "error: expected to write all of the output, got: No space left on device\n"
#: The commands in OTHERS create or drop the tables, do not read the tables, or report missing tables differently.
OTHERS = {"import", "init", "check", "schema", "migrate", "up", "reload", "doctor", "health", "mcp", "metrics", "uninstall"}  # fmt: skip


def names(command: Any, before: str = "") -> Iterator[str]:
    for name, inner in command.commands.items():
        yield (before + name).strip()
        if hasattr(inner, "commands"):
            yield from names(inner, f"{name} ")


PLANTED = """
UPDATE zeke_jobs.queue AS q
SET extra = jsonb_build_object('waiting_for', %(text)s::text, 'progress', jsonb_build_object('done', 1, 'note', %(text)s::text)),
  attempt = 1, message = jsonb_set(q.message, '{kwargs,text}', to_jsonb(%(text)s::text)), result = to_jsonb(%(text)s::text),
  run_at = now() + interval '1 hour',
  attempts = jsonb_build_array(jsonb_build_object('attempt', 1, 'outcome', 'retry', 'reason', %(text)s::text,
    'error', %(json)s::jsonb, 'ended_on', now()));
INSERT INTO zeke_jobs.cost (job, task, cost, currency) SELECT message_id, task, 1, %(text)s FROM zeke_jobs.queue;
INSERT INTO zeke_jobs.worker (id, kind, host, pid, version, queues, tasks, threads, refusal, heartbeat_on)
VALUES (%(worker)s, 'worker', %(text)s, 1, %(text)s, ARRAY['default', %(text)s], ARRAY['echo', %(text)s], 1, %(text)s, now());
UPDATE zeke_jobs.queue SET state = 'consumed', started_on = now(), claimed_on = now(), worker = %(worker)s
WHERE message_id = %(ACTIVE)s;
UPDATE zeke_jobs.queue SET state = 'rejected', completed_on = now(), started_on = now() WHERE message_id = %(FAILED)s;
UPDATE zeke_jobs.queue
SET state = 'rejected', completed_on = now(), cancelled_on = now(),
  extra = jsonb_build_object('cancelled_by', %(text)s::text, 'cancel_reason', %(text)s::text),
  message = message || jsonb_build_object('actor_name', %(text)s::text)
WHERE message_id = %(CANCELLED)s;
INSERT INTO zeke_jobs.pause (target, paused_by, reason)
SELECT target, %(text)s, %(text)s FROM unnest(ARRAY['task/third', 'schedule/tick', 'limit/shared', 'queue/' || %(text)s]) AS p (target)"""


def plant(conn: Connection) -> dict[str, str]:
    """Add jobs, pauses, processes and revisions full of hostile text; return the ids of the jobs by name."""
    applying.apply(conn, Request(load(TASKS, TOP), HOSTILE, HOSTILE))
    applying.apply(conn, Request(load(TASKS + "  third: {handler: 'H:echo'}\n", TOP), HOSTILE, HOSTILE))
    names = ("QUEUED", "ACTIVE", "FAILED", "CANCELLED")
    ids = {name: str(zeke_jobs.send("echo", {"n": 1}, key=HOSTILE).id) for name in names}
    error = json.dumps({"type": HOSTILE, "message": HOSTILE, "traceback": HOSTILE})
    with conn.cursor() as cursor:
        cursor.execute(PLANTED, {**ids, "text": HOSTILE, "json": error, "worker": str(uuid.uuid4())})
    return ids


@cache
def tree() -> Any:
    return typer.main.get_command(app())


def test_every_command_is_tried_and_has_a_sentence_and_none_shows_the_whole_help_and_is_wrong_use(cli: Cli) -> None:
    assert set(names(tree())) == set(COMMANDS)
    asked, ran = cli("--help"), cli()
    assert "Commands" in asked.out
    assert (ran.status, ran.out, ran.err) == (2, "", asked.out)
    assert cli("--version").out == f"zeke-jobs {zeke_jobs.__version__}\n"
    for path in names(tree()):
        assert re.fullmatch(r".{,58}[^.]\.", command(path).get_short_help_str(61)), path


def command(name: str) -> Any:
    found = tree()
    for part in name.split():
        found = found.commands[part]
    return found


def test_a_number_too_large_for_the_database_is_wrong_use(conn: Connection, cli: Cli) -> None:
    plant(conn)
    listed = [(each, "--limit") for each in ("audit", "batch", "history", "jobs")]
    numbers = [("show",), ("rollback",), ("diff", "1"), ("compare", "1"), ("logs", "QUEUED", "--attempt")]
    for words in (*listed, *numbers, ("schedule", "--next")):
        ran = cli(*words, str(10**20), *(["tick"] if words[0] == "schedule" else []))
        assert (ran.status, ran.out) == (2, ""), words
        assert "bug" not in ran.err, words


def test_no_output_commands_a_terminal(conn: Connection, cli: Cli, tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("zeke_jobs.cli.configuration.apply._PATIENCE", 0.0)
    words = plant(conn)
    file, broken = tmp_path / "jobs.yaml", tmp_path / "broken\x1b[2J.yaml"
    file.write_text(load(TASKS.replace("1m", "2m").replace("* * * * *", "1 * * * *"), TOP).text)
    broken.write_text("version: 1\ntasks: {a: {handler: 'os:getcwd', descriptoin: \"\x9b2J\u202e\"}}\n")
    words |= {"FILE": str(file), "BROKEN": str(broken), "FOLDER": str(tmp_path / HOSTILE)}
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", str(file))
    seen = ""
    last = ("cancel", "retry", "resume", "rollback", "uninstall")
    for name in sorted(COMMANDS, key=lambda one: (one == "uninstall", one in last)):
        if name == "uninstall":
            conn.cursor().execute("DELETE FROM zeke_jobs.worker")
        for arguments in COMMANDS[name]:
            line = [*name.split(), *(words.get(one, one) for one in arguments)]
            takes_json = any("--json" in parameter.opts for parameter in command(name).params)
            for form in (line, [*line, "--json"]) if takes_json and arguments == COMMANDS[name][0] else (line,):
                ran = cli(*form)
                said = ran.out + ran.err
                assert ran.status != 3, (form, ran.err)
                assert not RAW.search(said), (form, RAW.search(said), said)
                assert not any(line.startswith(FORGED) for line in ran.out.splitlines()), (form, ran.out)
                seen += said
    assert seen.count(r"\x1b]0;owned") > 20, "the hostile text was shown nowhere"


def test_a_terminal_gets_straight_tables_colours_alone_and_escapes_without_unicode(monkeypatch: Patch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    for form in ("json", "console"):
        monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", form)
        up.write_line("workers", '{"key": "\x9b2J"}')
        assert not RAW.search(written.getvalue())
    up.write_line("workers", "\x1b[32mfine\x1b[0m \x1b]0;owned\x07 \x9b2J")
    assert written.getvalue().endswith("| \x1b[32mfine\x1b[0m \\x1b]0;owned\\x07 \\x9b2J\n")
    file = io.StringIO()
    monkeypatch.setattr(file, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdout", file)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "dumb")
    listing([("a\x1b[2J\nb", "failed"), ("c", "completed")], {"key": itemgetter(0), "state": itemgetter(1)})
    assert file.getvalue().split(os.linesep)[1:3] == [r"a\x1b[2J\nb  failed   ", "c            completed"]
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    app = typer.Typer()
    app.command()(lambda: print("für später"))
    assert run(lambda _words: app, "it", []) == FINE
    assert raw.getvalue() == b"f\\xfcr sp\\xe4ter\n"


@cases(
    "line status said",
    ("zeke-jobs schema > /dev/full", 1, FULL),
    ("zeke-jobs check long.yaml 2>&1 | true", 2, ""),
    ("zeke-jobs check long.yaml 2> /dev/full", 2, ""),
)
def test_closed_or_full_output_is_quiet(tmp_path: Path, monkeypatch: Patch, line: str, status: int, said: str) -> None:
    # The error messages for long.yaml are longer than a pipe's buffer.
    tasks = "".join(f"  t-{n}: {{handler: a:b}}\n" for n in range(450))
    (tmp_path / "long.yaml").write_text(f"version: 1\ntasks:\n{tasks}")
    monkeypatch.chdir(tmp_path)
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "-o", "pipefail", "-c", line]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, said)


def test_others_ask_for_migrate(cli: Cli, monkeypatch: Patch, new_database: NewDatabase, tmp_path: Path) -> None:
    file = tmp_path / "jobs.yaml"
    file.write_text("version: 1\ntasks: {a: {handler: 'tests.acceptance.handlers:work'}}\n")
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", str(file))
    monkeypatch.setenv("DATABASE_URL", new_database())
    words: dict[str, object] = dict.fromkeys(("QUEUED", "FAILED", "ACTIVE"), uuid.uuid4()) | {"FILE": file}
    for name in COMMANDS.keys() - OTHERS:
        arguments = ("--apply",) if name == "roles" else COMMANDS[name][0]
        ran = cli(*name.split(), *(words.get(one, one) for one in arguments))
        assert (ran.status, ran.out, ran.err[:7]) == (2, "", "error: "), name
        assert "run: zeke-jobs migrate" in ran.err, name
    for line in ("doctor", "health worker", "metrics", "uninstall --yes"):
        assert cli(*line.split()).status in (1, 2), line


@cases(
    "raised status said",
    (AssertionError("cannot happen"), 3, ["AssertionError: cannot happen", "please report it"]),
    (KeyboardInterrupt(), 130, []),
)
def test_a_bug_asks_for_a_report(cli: Cli, monkeypatch: Patch, raised: Any, status: int, said: list[str]) -> None:
    def broken(**_: Any) -> None:
        raise raised

    monkeypatch.setattr("zeke_jobs.jobs", broken)
    monkeypatch.setenv("DATABASE_URL", "postgresql:///none")
    ran = cli("jobs")
    assert (ran.status, all(part in ran.err for part in said)) == (status, True)
    assert said or "report" not in ran.err
