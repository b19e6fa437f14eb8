"""Runs Django's tasks as jobs: ``Backend`` is for ``TASKS``, and ``zeke_jobs.django.worker`` has the handler."""

from zeke_jobs.django.backend import Backend

__all__ = ["Backend"]
