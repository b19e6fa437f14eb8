"""Django's tasks as jobs: ``Backend`` is for ``TASKS``, ``zeke_jobs.django.worker`` has the handler for jobs.yaml."""

from zeke_jobs.django.backend import Backend

__all__ = ["Backend"]
