"""The tests in docs/testing.md run."""

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.zeke_jobs.testing.blocks import blocks, python
from zeke_jobs.testing import FakeContext

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "testing.md"

DJANGO = {
    "settings.py": """
import os
SECRET_KEY = "x"
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": os.environ["THE_USER"],
    "PASSWORD": "", "HOST": os.environ["THE_HOST"], "PORT": "5432"}}
""",
    "urls.py": """
from django.http import JsonResponse
from django.urls import path
import zeke_jobs
def buy(request, order):
    return JsonResponse({"job": str(zeke_jobs.send("send-invoice", {"order": order}).id)})
urlpatterns = [path("orders/<int:order>", buy)]
""",
}


def run(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *arguments, **env)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    for name in ("conftest.py", "jobs.yaml", "shop.py", "api.py", "test_api.py", "test_shop.py"):
        (tmp_path / name).write_text("\n\n".join(blocks(PAGE, name)))
    return tmp_path


def test_the_tests_of_django_pass(program: Path, server_url: str) -> None:
    for name, text in DJANGO.items():
        (program / name).write_text(text)
    for name in ("test_api.py", "test_shop.py"):
        (program / name).unlink()
    (program / "conftest.py").write_text(blocks(PAGE, "conftest.py in Django")[0])
    (program / "test_views.py").write_text(blocks(PAGE, "test_views.py")[0])
    found = re.fullmatch(r"postgresql://([^@]*)@?/\w+\?host=([^&]+).*", server_url)
    assert found is not None, server_url
    done = run(program, "-p", "pytest_django.plugin", "--ds", "settings", THE_USER=found[1], THE_HOST=unquote(found[2]))
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_a_plugin_is_loaded_by_name_alone_and_the_tests_of_the_page_have_five_and_ten_lines(program: Path) -> None:
    for block, most in zip(blocks(PAGE, "test_api.py"), (5, 10), strict=True):
        [body] = re.findall(r"^def test.*\Z", block, re.MULTILINE | re.DOTALL)
        assert len(body.strip().splitlines()) <= most
    (program / "conftest.py").unlink()
    done = run(program, "test_shop.py", "-p", "no:django")
    assert "fixture 'run_jobs' not found" in done.stdout


WRONG = """
import pytest, zeke_jobs
from zeke_jobs.errors import InvalidPayload, UnknownTask

def test_refusals(sent_jobs):
    with pytest.raises(UnknownTask, match="did you mean 'send-mail'"):
        zeke_jobs.send("send-mial", {})
    with pytest.raises(InvalidPayload, match="expected a value, got none"):
        zeke_jobs.send("send-invoice", {})
    with pytest.raises(TypeError, match="did you mean 'delay'"):
        zeke_jobs.send("send-invoice", {"order": 1}, dely=1)
    with pytest.raises(TypeError, match="expected a connection"):
        zeke_jobs.send("send-invoice", {"order": 1}, connection="nonsense")
    assert sent_jobs == []

def test_many_and_keys(sent_jobs):
    zeke_jobs.send_many("send-invoice", [{"order": 1}, {"order": 2}], keys=["a", None], priority=3)
    assert [(one.payload, one.options) for one in sent_jobs.of("send-invoice")] == [
        ({"order": 1}, {"priority": 3, "key": "a"}), ({"order": 2}, {"priority": 3})]
    with pytest.raises(AssertionError, match="got 2; sent was\\n  send-invoice {'order': 1}"):
        sent_jobs.assert_sent("send-invoice")
    zeke_jobs.send("send-mail", {"to": "a", "text": "b"}, unique=["to"], expires=60)
    sent_jobs.assert_sent("send-mail", {"to": "a"}, unique=["to"], expires=60)
    zeke_jobs.send("send-invoice", {"order": 9}, units={"tokens": 5})
    sent_jobs.assert_sent("send-invoice", {"order": 9}, units={"tokens": 5})
    with pytest.raises(UnknownTask):
        sent_jobs.assert_sent("send-mial")
    with pytest.raises(AssertionError, match="order.: 3.*got 0"):
        sent_jobs.assert_sent("send-invoice", {"order": 3})

def test_a_failure_is_raised_or_returned(run_jobs):
    zeke_jobs.send("breaks")
    with pytest.raises(ZeroDivisionError):
        run_jobs()
    zeke_jobs.send("breaks")
    [job] = run_jobs(raises=False)
    assert (job.status, job.error["type"]) == ("failed", "ZeroDivisionError")

def test_transactions_of_handlers(run_jobs, zeke_database):
    import psycopg2
    connection = psycopg2.connect(zeke_database)
    connection.cursor().execute("CREATE TABLE kept (n int)")
    zeke_jobs.send("writes", {}, connection=connection)
    zeke_jobs.send("writes-and-breaks", {}, connection=connection)
    assert {job.status for job in run_jobs(connection=connection, raises=False)} == {"completed", "failed"}
    cursor = connection.cursor()
    cursor.execute("SELECT n FROM kept")
    assert cursor.fetchall() == [(1,)]
    connection.close()

def test_the_clock_runs_again_by_itself(run_jobs, zeke_clock):
    before = zeke_clock.now()
    zeke_jobs.send("send-invoice", {"order": 7}, delay=86400)
    assert len(run_jobs(waits=False)) == 2
    assert (zeke_clock.now() - before).total_seconds() < 60
"""
MORE = """
  breaks: {handler: "more:breaks", retry: {limit: 0}}
  writes: {handler: "more:writes"}
  writes-and-breaks: {handler: "more:writes_and_breaks", retry: {limit: 0}}
"""
HANDLERS = """
from zeke_jobs import Context, Payload

def breaks(payload: Payload, ctx: Context) -> None:
    1 / 0

def writes(payload: Payload, ctx: Context) -> None:
    with ctx.transaction() as tx:
        tx.cursor().execute("INSERT INTO kept VALUES (1)")
        ctx.complete()

def writes_and_breaks(payload: Payload, ctx: Context) -> None:
    with ctx.transaction() as tx:
        tx.cursor().execute("INSERT INTO kept VALUES (2)")
        1 / 0
"""


def test_the_tests_of_the_page_pass_and_what_it_says_besides_holds(program: Path) -> None:
    (program / "test_more.py").write_text(WRONG)
    (program / "test_wrong.py").write_text('def test_it(sent_jobs):\n    sent_jobs.assert_sent("send-invoice")\n')
    (program / "more.py").write_text(HANDLERS)
    with (program / "jobs.yaml").open("a") as file:
        file.write(MORE)
    ignored = "ignore::DeprecationWarning"  # FastAPI's test client causes the warning.
    done = run(program, "-W", ignored, "-p", "no:django")
    assert "1 failed, 9 passed" in done.stdout, done.stdout + done.stderr
    # The traceback shows the line of the test, and no line of zeke_jobs.
    assert ">       sent_jobs.assert_sent" in done.stdout
    assert "expected one job of send-invoice" in done.stdout
    assert "sends.py" not in done.stdout


def test_a_fake_context_keeps_what_a_handler_says_and_says_what_it_was_not_given() -> None:
    ctx = FakeContext(services={"web": object()})
    ctx.used(tokens=900)
    ctx.used(tokens=34)
    ctx.throttled("ai", 12, "slow down")
    assert (ctx.units, ctx.throttles) == ({"tokens": 934}, [("ai", 12.0, "slow down")])
    with pytest.raises(ValueError, match="expected tokens as a number of at least 0, got -1"):
        ctx.used(tokens=-1)
    with pytest.raises(RuntimeError, match=r"expected FakeContext\(settings=…\)"):
        _ = ctx.settings.shortest
    with pytest.raises(RuntimeError, match=r"ctx.service\('ai'\), got web"):
        ctx.service("ai")
    with pytest.raises(RuntimeError, match=r"expected FakeContext\(db=…\)"):
        _ = ctx.db
