"""Each key that a task may have in jobs.yaml is accepted and stored, a plan names it, and a command shows it or a worker obeys it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import zeke_jobs
from zeke_jobs.config import Config, check
from zeke_jobs.config.entries import Keys
from zeke_jobs.config.models import TaskKeys
from zeke_jobs.config.validation import accepted_keys, only_model_at
from zeke_jobs.revisions import diff

PACKAGE = Path(zeke_jobs.__file__).parent
DECLARATION = """    owner: Annotated[str, SHOWN] = key("", "Person or team to ask.", "owner: news-team")\n"""
#: BESIDE has keys that other keys of a mapping require; the other tables have values that are not the default.
BESIDE: dict[str, dict[str, Any]] = {"cron": {"at": "@daily"}, "rate": {"limit": "20/s"}, "chunk": {"size": 2}}
BESIDE_LEAVES: dict[tuple[str, ...], dict[str, str]] = {
    ("unique", "period"): {"while": "period"},
    ("unique", "at_most"): {"on_duplicate": "replace"},
}
OTHERS: tuple[Any, ...] = (7, 0.5, "7s", "2/s", "other", "sample_handlers:quiet", "UTC", "all", "allow", "active", True)
OTHERS += (["ai"], {"user_name": "Ada"}, "@hourly", "Asia/Kathmandu", "5 USD/d", {"USD": 3}, "greet")
OTHERS += ("strict", "key", "skip", "replace", "always")


def leaves(model: type[Keys], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key that holds a value."""
    for name in accepted_keys(model):
        inner = only_model_at(model, [name])
        if inner is not None and issubclass(inner, Keys):
            yield from leaves(inner, (*path, name))
        else:
            yield (*path, name)


def loaded(path: tuple[str, ...], value: Any = None) -> Config | None:
    """Load a file whose task has a value at the path, or only the required keys; return None if the file is refused."""
    stanza: dict[str, Any] = {"handler": "sample_handlers:greet"}
    if len(path) == 2 and path[0] in BESIDE:
        stanza[path[0]] = dict(BESIDE[path[0]])
    if path == ("units",):
        stanza["uses"] = ["ai"]
    if value is not None:
        owner = stanza if len(path) == 1 else stanza.setdefault(path[0], {})
        owner |= {path[-1]: value, **BESIDE_LEAVES.get(path, {})}
    text = yaml.safe_dump({"version": 1, "limits": {"ai": {"budget": "4 USD/d"}}, "tasks": {"greet": stanza}})
    return check(text, "jobs.yaml", handlers=False)[0]


@pytest.mark.parametrize("path", list(leaves(TaskKeys)), ids=".".join)
def test_some_value_of_it_is_accepted_stored_and_named_by_a_plan(path: tuple[str, ...]) -> None:
    usual, dotted = loaded(path), ".".join(path)
    short = getattr(only_model_at(TaskKeys, path[:1]), "short_form", None)
    accepted = {dotted, path[0]} if short and path[1:] == (short[0],) else {dotted}
    assert usual is not None
    for value in OTHERS:
        other = loaded(path, value)
        named = [change.key for change in diff.changes(usual, other)] if other else []
        if other and any(name in accepted or name.startswith(f"{dotted}.") for name in named):
            is_stored = other.tasks["greet"].definition != usual.tasks["greet"].definition
            assert is_stored or path[0] in ("settings", "cron")  # Schedules are stored in another column.
            return
    pytest.fail(f"no value makes a plan name {dotted}")


TRIAL = """
import sys
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run
from zeke_jobs import send
from zeke_jobs.config.json_schema import json_schema

def cli(*arguments):
    print("$", *arguments, flush=True)
    print("status", run(app, "zeke-jobs", list(arguments)), flush=True)

assert "owner" in json_schema()["$defs"]["TaskKeys"]["properties"]
cli("check")
cli("apply", "-m", "first")
cli("set", "greet.owner=desk", "-m", "on holiday")
cli("tasks")
cli("tasks", "--json")
cli("why", str(send("greet").id))
"""


def test_a_new_key_needs_its_declaration_alone(tmp_path: Path, database: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "zeke_jobs", ignore=shutil.ignore_patterns("__pycache__"))
    models = tmp_path / "zeke_jobs" / "config" / "models.py"
    text = models.read_text(encoding="utf-8")
    models.write_text(re.sub(r"^    description: .*\n", rf"\g<0>{DECLARATION}", text, count=1, flags=re.MULTILINE))
    (tmp_path / "greeting.py").write_text(
        "from zeke_jobs import Context, Payload\n\n\ndef greet(payload: Payload, ctx: Context) -> None: ...\n"
    )
    (tmp_path / "jobs.yaml").write_text("version: 1\ntasks: {greet: {handler: 'greeting:greet', owner: news-team}}\n")
    done = subprocess.run(
        [sys.executable, "-c", TRIAL], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    said = dict(part.partition("\n")[::2] for part in done.stdout.split("$ ")[1:])
    assert [part.split("status ")[-1].strip() for part in said.values()] == ["0"] * 6, done.stdout + done.stderr
    assert "owner: news-team" in said["apply -m first"]
    assert "owner: news-team → desk" in said["set greet.owner=desk -m on holiday"]
    assert re.search(r"task .* owner.*\ngreet .* desk", said["tasks"])
    assert '"owner": "desk"' in said["tasks --json"]
    assert "owner: desk" in next(text for command, text in said.items() if command.startswith("why "))
