"""Runs Django's tasks as jobs. Set ``Backend`` in Django's ``TASKS``. The handler of these jobs is in ``worker``."""

from zeke_jobs.django.backend import Backend

__all__ = ["Backend"]
