"""The package ``django.tasks``: Django's own since version 6, else its backport ``django-tasks``."""

from importlib import import_module
from typing import Any

from zeke_jobs.core import extras

try:
    tasks: Any = import_module("django.tasks")
except ImportError:
    try:
        tasks = import_module("django_tasks")
    except ImportError as error:
        raise extras.missing("Django 6, or django-tasks beside Django 5.2", "zeke-jobs[django]", error=error) from error
signals: Any = import_module(f"{tasks.__name__}.signals")
BaseTaskBackend: Any = import_module(f"{tasks.__name__}.backends.base").BaseTaskBackend  # Django 6 imports it late
Status: Any = tasks.TaskResultStatus
