"""A Django project whose tasks are jobs; ``DATABASE_URL`` names its database."""

import os

import django
from psycopg2.extensions import parse_dsn

_at = parse_dsn(os.environ["DATABASE_URL"])
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    *(["django_tasks"] if django.VERSION < (6,) else []),
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _at["dbname"],
        "USER": _at["user"],
        "PASSWORD": _at.get("password", ""),
        "HOST": _at["host"],
        "PORT": _at.get("port", ""),
    }
}
TASKS = {
    "default": {
        "BACKEND": "zeke_jobs.django.Backend",
        "QUEUES": ["default", "mail"],
        "OPTIONS": {"tasks": {"polls.report": "report", "mail": "django-mail"}},
    }
}
