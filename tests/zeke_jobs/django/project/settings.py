"""This Django project runs its tasks as jobs; ``DATABASE_URL`` names its database."""

import os

import django
from psycopg2.extensions import parse_dsn

_at = parse_dsn(os.environ["DATABASE_URL"])
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
INSTALLED_APPS += ["django_tasks"] if django.VERSION < (6,) else []
_PARTS = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
_FOUND = {name: _at.get(part, "") for name, part in _PARTS.items()}
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", **_FOUND}}
_OPTIONS = {"tasks": {"polls.report": "report", "mail": "django-mail"}}
TASKS = {"default": {"BACKEND": "zeke_jobs.django.Backend", "QUEUES": ["default", "mail"], "OPTIONS": _OPTIONS}}
