"""Runs Django's tasks as jobs: ``Backend`` is for Django's setting ``TASKS``, and ``worker`` has the handler."""

from zeke_jobs.django.backend import Backend

__all__ = ["Backend"]
