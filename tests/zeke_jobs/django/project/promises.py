"""test_django.py runs these tests in the Django project, with pytest-django and the fixtures of zeke_jobs.testing."""

from datetime import timedelta

import polls
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.core.exceptions import SuspiciousOperation
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection, connections, transaction
from django.utils import timezone

import zeke_jobs
from zeke_jobs.django.backend import signals, tasks

READY, SUCCESSFUL, FAILED = (tasks.TaskResultStatus[name] for name in ("READY", "SUCCESSFUL", "FAILED"))
TaskResultDoesNotExist = tasks.exceptions.TaskResultDoesNotExist
committed = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="session")
def zeke_database_url(django_db_setup):
    return "postgresql://{USER}:{PASSWORD}@/{NAME}?host={HOST}&port={PORT}".format(**connection.settings_dict)


def result(run_jobs, task, *args, **kwargs):
    sent = task.enqueue(*args, **kwargs)
    run_jobs(raises=False, waits=False)
    sent.refresh()
    return sent


@committed
def test_a_job_is_sent_in_the_transaction_and_undone_with_it(run_jobs):
    with pytest.raises(KeyError), transaction.atomic():
        gone = polls.add.enqueue(1, 2)
        assert polls.add.get_result(gone.id).status == READY
        raise KeyError
    with transaction.atomic():
        Group.objects.create(name="first")
        with pytest.raises(KeyError), transaction.atomic():
            polls.add.enqueue(3, 4)
            raise KeyError
        kept = polls.add.enqueue(1, b=2)
    with pytest.raises(TaskResultDoesNotExist):
        polls.add.get_result(gone.id)
    [job] = run_jobs()
    assert str(job.id) == kept.id
    assert (kept.status, kept.args, kept.kwargs, kept.is_finished) == (READY, [1], {"b": 2}, False)
    kept.refresh()
    assert (kept.status, kept.return_value, kept.errors, kept.attempts) == (SUCCESSFUL, 3, [], 1)
    assert kept.enqueued_at <= kept.started_at == kept.last_attempted_at <= kept.finished_at


@committed
def test_a_task_uses_models_context_async_and_its_own_stanza(run_jobs):
    made = result(run_jobs, polls.make_group, "second")
    assert Group.objects.get(name="second").pk == made.return_value
    report = result(run_jobs, polls.report, userId={"someKey": [1, None]})
    assert report.return_value == {"attempt": 1, "id": report.id, "userId": {"someKey": [1, None]}}
    mail = result(run_jobs, polls.mail)
    assert mail.return_value == [1, 2]
    assert result(run_jobs, polls.later, "x").return_value == "x"
    jobs = [zeke_jobs.status(one.id, connection=connection.connection) for one in (made, report, mail)]
    assert [(job.task_id, job.priority, job.queue) for job in jobs] == [
        ("django", 0, "default"), ("report", 7, "default"), ("django-mail", 0, "mail"),
    ]  # fmt: skip


@committed
def test_what_using_changes_is_read_back(run_jobs, settings):
    moment = timezone.now() + timedelta(hours=1)
    wanted = polls.add.using(priority=-9, queue_name="mail", run_after=moment)
    sent = wanted.enqueue(1, 2)
    assert sent.task == wanted == polls.add.get_result(sent.id).task
    assert run_jobs() == []
    settings.USE_TZ = False
    connections.close_all()  # A connection keeps the time zone with which it was opened.
    naive = polls.add.using(run_after=timezone.make_naive(moment))
    later = naive.enqueue(1, 2)
    assert polls.add.get_result(later.id).task == naive
    [*_] = run_jobs(waits=False)
    later.refresh()
    assert later.finished_at.tzinfo is None
    assert later.return_value == 3


@committed
def test_errors_of_all_attempts_are_read(run_jobs):
    failed = result(run_jobs, polls.fails, 5)
    assert (failed.status, failed.attempts) == (FAILED, 2)
    assert [one.exception_class for one in failed.errors] == [polls.Odd, polls.Odd]
    assert failed.errors[1].traceback.endswith("polls.Odd: attempt 2\n")
    with pytest.raises(ValueError, match="Task failed"):
        _ = failed.return_value
    mended = result(run_jobs, polls.fails, 1)
    assert (mended.return_value, mended.attempts, len(mended.errors)) == (2, 2, 1)
    assert mended.started_at < mended.last_attempted_at
    refused = result(run_jobs, polls.no_json)
    assert (refused.status, refused.attempts) == (FAILED, 1)
    assert refused.errors[0].exception_class is zeke_jobs.errors.Reject


@committed
def test_signals_are_sent(run_jobs):
    seen = []
    all_of_them = {name: getattr(signals, f"task_{name}") for name in ("enqueued", "started", "finished")}
    for name, signal in all_of_them.items():

        def note(task_result, name=name, **_):
            seen.append((name, task_result.status.value, task_result.attempts))

        signal.connect(note, weak=False, dispatch_uid="test")
    result(run_jobs, polls.fails, 1)
    for how in ("exit", "timeout"):
        polls.stops.enqueue(how)
        with pytest.raises(BaseException, match=r"^$"):
            run_jobs(waits=False)
    for signal in all_of_them.values():
        signal.disconnect(dispatch_uid="test")
    failed = [("enqueued", "READY", 0), ("started", "RUNNING", 1), ("finished", "FAILED", 1)]
    assert seen == [*failed, ("started", "RUNNING", 2), ("finished", "SUCCESSFUL", 2), *failed, *failed]


@committed
def test_the_forms_to_await_and_what_is_no_result(run_jobs, monkeypatch):
    sent = async_to_sync(polls.add.aenqueue)(1, 2)
    assert async_to_sync(polls.add.aget_result)(sent.id).status == READY
    run_jobs()
    async_to_sync(sent.arefresh)()
    assert sent.return_value == 3
    with pytest.raises(TaskResultDoesNotExist, match="expected result_id as a UUID"):
        polls.add.get_result("nonsense")
    monkeypatch.setattr(polls, "add", polls.plain)
    with pytest.raises(SuspiciousOperation, match=r"expected a function with @task at polls\.add, got function"):
        tasks.task_backends["default"].get_result(sent.id)


@committed
@pytest.mark.usefixtures("zeke_database")
def test_a_refused_call_leaves_the_transaction_usable():
    with transaction.atomic():
        with pytest.raises(TypeError):
            polls.add.enqueue(object(), 1)
        with pytest.raises(zeke_jobs.errors.InvalidPayload):
            polls.add.enqueue(2**70, 1)
        polls.add.enqueue(1, 2)
    with transaction.atomic(), pytest.raises(transaction.TransactionManagementError):
        transaction.set_rollback(True)
        polls.add.enqueue(1, 2)


def test_a_test_needs_no_database(sent_jobs):
    polls.report.enqueue(1)
    sent_jobs.assert_sent("report", {"function": "polls.report", "args": [1]}, priority=7)


def found(**params):
    backend = type(tasks.task_backends["default"])("other", {"QUEUES": ["default", "mail"], **params})
    return sorted(one.id.removeprefix("zeke_jobs.") + " " + one.msg for one in backend.check())


def test_the_system_check(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"dbname={connection.settings_dict['NAME']}")
    call_command("check", "--fail-level", "WARNING")
    faulty = found(OPTIONS={"task": "no-such", "tasks": {"mail": "django-mail", "polls.plain": "report"}})
    assert [one.split(", got")[0] for one in faulty] == [
        "E001 expected a function with @task or one of QUEUES in TASKS['other']",
        "E003 expected no-such in jobs.yaml for TASKS['other']",
    ]
    [missing] = found(OPTIONS={"database": "replica"})
    assert missing == "E002 expected a PostgreSQL as DATABASES['replica'] for TASKS['other'], got nothing"
    for wrong in ({"taks": {}}, {"tasks": None}, {"task": 7}):
        [unknown] = found(OPTIONS=wrong)
        assert unknown.startswith("E004 expected in OPTIONS of TASKS['other'] the texts task and database, and ")
    monkeypatch.setenv("DATABASE_URL", "postgresql:///elsewhere")
    [other] = found(OPTIONS={})
    assert other.startswith("W001 expected dbname ")
    assert other.endswith(", got elsewhere")
    with pytest.raises(SystemCheckError, match=r"zeke_jobs\.W001"):
        call_command("check", "--fail-level", "WARNING")
