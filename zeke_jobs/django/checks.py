"""The system check of a backend: its database, and the stanzas in jobs.yaml."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import Error, Warning  # noqa: A004 (Django's word)
from django.db import connections
from psycopg2.extensions import parse_dsn

from zeke_jobs import config
from zeke_jobs.core import environment
from zeke_jobs.django.results import find

_HANDLER = "zeke_jobs.django.worker:run_task"


def faults(backend: Any) -> Iterator[Any]:
    """The faults of one backend of ``TASKS``. Without a jobs.yaml here, as in a web server, its stanzas are not checked.

    Raises ConfigurationError if jobs.yaml or ``DATABASE_URL`` is faulty itself.
    """
    where = f"TASKS[{backend.alias!r}]"
    kinds = {"task": str, "database": str, "tasks": dict}
    if any(not isinstance(value, kinds.get(name, ())) for name, value in backend.options.items()):
        message = (
            f"expected in OPTIONS of {where} the texts task and database, and the dict tasks, got {backend.options}"
        )
        yield Error(message, id="zeke_jobs.E004")
        return
    for name in backend.own_stanzas:
        try:
            if name not in backend.queues:
                find(name)
        except Exception as error:  # noqa: BLE001 (the module is foreign code; its exception is shown)
            message = f"expected a function with @task or one of QUEUES in {where}, got {name!r}: {error}"
            yield Error(message, id="zeke_jobs.E001")
    got = connections[backend.database].vendor if backend.database in connections else "nothing"
    if got != "postgresql":
        yield Error(
            f"expected a PostgreSQL as DATABASES[{backend.database!r}] for {where}, got {got}", id="zeke_jobs.E002"
        )
    else:
        yield from _other_database(connections[backend.database].settings_dict)
    if (path := environment.config_path()).exists():
        found = config.load(path, handlers=False)
        for name in dict.fromkeys([backend.stanza("", ""), *backend.own_stanzas.values()]):
            stanza = found.task(name)
            if stanza is None or stanza.handler != _HANDLER:
                got = "no such task" if stanza is None else f"handler {stanza.handler}"
                message = f"expected {name} in {path.name} for {where}, got {got}"
                yield Error(message, hint=f'under tasks: {name}: {{handler: "{_HANDLER}"}}', id="zeke_jobs.E003")


def _other_database(settings: dict[str, Any]) -> Iterator[Any]:
    theirs = parse_dsn(environment.database_url_or_none() or "")
    for key, ours in (("dbname", settings["NAME"]), ("host", settings["HOST"]), ("port", settings["PORT"])):
        if ours and theirs.get(key, str(ours)) != str(ours):
            message = f"expected {key} {ours} of DATABASES in DATABASE_URL, where workers look, got {theirs[key]}"
            yield Warning(message, id="zeke_jobs.W001")
