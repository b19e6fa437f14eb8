"""The Django project has these tasks."""

import asyncio

from django.contrib.auth.models import Group
from dramatiq.middleware import TimeLimitExceeded

from zeke_jobs.django.backend import tasks

task = tasks.task


class Odd(Exception):
    pass


@task
def add(a, b):
    return a + b


@task
def stops(how):
    raise {"exit": SystemExit, "timeout": TimeLimitExceeded}[how]


@task
def make_group(name):
    return Group.objects.create(name=name).pk


@task(takes_context=True, priority=7)
def report(context, **given):
    return {"attempt": context.attempt, "id": context.task_result.id, **given}


@task(queue_name="mail")
def mail():
    return (1, 2)


@task(takes_context=True)
def fails(context, times):
    if context.attempt <= times:
        raise Odd(f"attempt {context.attempt}")
    return context.attempt


@task
async def later(x):
    await asyncio.sleep(0)
    return x


@task
def no_json():
    return object()


def plain():
    return 1
