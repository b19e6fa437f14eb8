"""Runs Django's tasks as jobs. Django's setting ``TASKS`` names ``Backend``; the module ``worker`` has the handler."""

from zeke_jobs.django.backend import Backend

__all__ = ["Backend"]
