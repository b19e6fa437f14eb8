"""Django's tasks run as jobs. The tests run a worker, and run project/promises.py in a Django project."""

import shutil
from pathlib import Path

import pytest

import zeke_jobs
from tests.zeke_jobs.testing.blocks import blocks, python

VERSION = pytest.importorskip("django").VERSION
pytest.importorskip("zeke_jobs.django.backend")

PROJECT = Path(__file__).parent / "project"
MAIN = "from zeke_jobs.cli import main; main()"
PAGE = Path(__file__).parents[3] / "docs" / "sending.md"
SETUP = "import django\ndjango.setup()\n"
APPLY = "from zeke_jobs.cli.root import app\nfrom zeke_jobs.cli.run import run\nassert run(app, 'zeke-jobs', ['apply']) == 0\n"
CHECK = "from django.core.management import call_command\ncall_command('check')\n"
UNFIT = "from django.db import connection\nconnection.vendor = 'sqlite'\ncall_command('check')\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROJECT, tmp_path / "project"))


def test_the_promises_are_kept(project: Path, database: str) -> None:
    how = "-m pytest -q -W error -p pytest_django.plugin -p zeke_jobs.testing.plugin -p no:cacheprovider --ds settings"
    done = python(project, *how.split(), "promises.py", DATABASE_URL=database)
    assert "9 passed" in done.stdout, done.stdout + done.stderr


def example(title: str) -> str:
    (text,) = blocks(PAGE, title)
    return text if VERSION >= (6,) else text.replace("django.tasks", "django_tasks")


def test_a_worker_runs_the_task_of_the_page(project: Path, database: str) -> None:
    for name in ("jobs.yaml", "shop/tasks.py"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(example(name))
    with (project / "settings.py").open("a") as file:
        file.write(example("settings.py"))
    env = {"DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "settings"}
    view = f"{example('shop/views.py')}print(order(None).content.decode(), flush=True)\n"
    sent = python(project, "-c", f"{SETUP}{APPLY}{CHECK}{view}{UNFIT}", **env)
    job = sent.stdout.split()[-1]
    assert "(zeke_jobs.E002) expected a PostgreSQL as DATABASES['default']" in sent.stderr, sent.stderr
    worked = python(project, "-c", MAIN, "up", "--until-idle", **env)
    assert worked.returncode == 0, worked.stdout + worked.stderr
    assert zeke_jobs.status(job).output == "sent to ada@example.org"
