"""Checks that the code has the handlers and services of jobs.yaml, and that settings and payloads fit their models."""

import re
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError

from zeke_jobs.config import catalogue
from zeke_jobs.config.document import Document, walk
from zeke_jobs.config.entries import EntryError
from zeke_jobs.config.handlers import Handler, resolve_middleware, resolve_model, resolve_path, settings_model
from zeke_jobs.config.imports import Substitution
from zeke_jobs.config.models import Config, Service, Task
from zeke_jobs.config.validation import Subject, accepted_keys, all_keys, note, only_model_at, unknown_key
from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.errors import MigrationError
from zeke_jobs.payload.faults import KEY, Path
from zeke_jobs.payload.json_text import UnfitForJson, encode
from zeke_jobs.payload.model import FailedJob
from zeke_jobs.payload.schema import PayloadSchema

T = TypeVar("T")


def check_code(document: Document, config: Config) -> None:
    """Import all handlers and services. Report faults in this code, and settings and payloads that do not fit it."""
    from zeke_jobs.postgres import migrate

    checks = _Checks(document)
    for place, package in enumerate(config.migrations):
        try:
            migrate.of_package(package)
        except MigrationError as error:
            document.refuse(("migrations", place), str(error))
    for name, service in config.services.items():
        checks.service(service, ("services", name), resolve_model, f"service {name}")
    for place, middleware in enumerate(config.middleware):
        checks.service(middleware, ("middleware", place), lambda use: settings_model(resolve_middleware(use)))
    for task in config.tasks.values():
        checks.task(task)
    if not document.found:
        checks.catalogue(config)


class _Checks:
    def __init__(self, document: Document) -> None:
        self._document, self._refuse = document, document.refuse
        # This maps the name of a task to the paths of all ``on_failed`` keys with this name as value.
        self._tellers: defaultdict[str, list[Path]] = defaultdict(list)
        for path, told in walk(document.value):
            if path[-1:] == ("on_failed",) and len(path) == {"tasks": 3, "defaults": 2}.get(str(path[0])):
                self._tellers[str(told)].append(path)

    def service(self, service: Service, base: Path, of: Callable[[str], type[BaseModel]], name: str = "") -> None:
        filled = self._fill(service.settings, base)
        model = self._found(of, service.use, (*base, "use"))
        if model is not None:
            self._fits(filled, model, base, name or f"the settings of {model.__name__}")

    def task(self, task: Task) -> None:
        base: Path = ("tasks", task.id)
        settings, chunk = (*base, "settings"), (*base, "chunk")
        filled = self._fill(task.settings, settings)
        # If ``chunk`` is faulty, ``task.chunk`` may be None, but the document still has the key.
        in_chunks = task.chunk is not None or self._document.find(chunk)[1] == len(chunk)
        handler = self._found(partial(resolve_path, in_chunks=in_chunks), task.handler, (*base, "handler"))
        if handler is None:
            return
        if handler.settings_model is not None:
            self._fits(filled, handler.settings_model, settings, f"the settings of {task.id}")
        elif task.settings:
            fault = f"expected no settings, got some for {task.handler}, which takes none"
            self._refuse((*settings, KEY), fault, "a handler that takes settings has ctx: Context[MySettings]")
        self._payload(task, handler, base)
        for name in (task.id, *task.aliases):
            for teller in self._tellers.get(name, ()):
                self._is_told(task, handler.payload_model, teller)

    def catalogue(self, config: Config) -> None:
        """Make the tasks' database rows, as a starting worker does, and check that Postgres can store them."""
        for name, task in config.tasks.items():
            base: Path = ("tasks", name)
            try:
                encode(catalogue.row(config, task))
            except UnfitForJson as error:
                steps = (int(step) if step.isdecimal() else step for step in re.findall(r"[^.\[\]]+", error.path))
                self._refuse((*base, *steps), error.message)
            except Exception as error:  # noqa: BLE001 (a model is foreign code; what it raised is shown)
                what = f"{type(error).__name__}: {' '.join(str(error).split())}"
                self._refuse((*base, KEY), f"expected {name} to fit the catalogue, got {what}")

    def _found(self, resolve: Callable[[str], T], name: str, path: Path) -> T | None:
        """Return the object that the file names, or None. Report a wrong name, but not a missing one (empty text)."""
        try:
            return resolve(name) if name else None
        except EntryError as error:
            self._refuse(path, *error.args)
            return None

    def _is_told(self, task: Task, model: type[BaseModel], path: Path) -> None:
        for payload in (dict[str, Any](), None):
            told = FailedJob(job_id=UUID(int=0), task="a-task", error={"type": "ValueError"}, payload=payload)
            try:
                model.model_validate(told.model_dump(mode="json"))
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                got = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
                help_ = "use zeke_jobs.FailedJob, or a payload model with its fields"
                self._refuse(path, f"expected {task.id} to accept zeke_jobs.FailedJob, got {got}", help_)
                return

    def _payload(self, task: Task, handler: Handler, base: Path) -> None:
        model, schema = handler.payload_model, PayloadSchema(handler.payload_schema)
        fields = [((*base, "sensitive", at), name.split(".")) for at, name in enumerate(task.sensitive)]
        for at, name in enumerate(task.unique.fields if task.unique else ()):
            path = (*base, "unique", "fields", at)
            is_short = self._document.find(path)[1] != len(path)
            fields.append(((*base, "unique", at) if is_short else path, [name]))
        for path, steps in fields:  # use Python's names, because jobs are stored with these names
            if (astray := schema.lost_step(steps)) is not None:
                fault = f"expected a field of {task.id}'s payload, got {quote('.'.join(steps))}"
                self._refuse(path, fault, suggest(*astray, what="there are"))
        needed = ", ".join(f"{name}: …" for name, field in model.model_fields.items() if field.is_required())
        for number, cron in enumerate(task.schedules.values()):
            if cron.at or cron.payload:  # otherwise only the line is given, and the line is faulty
                at_list = (number,) if isinstance(task.cron, tuple) else ()
                example = f'cron: {{at: "{cron.at or "…"}", payload: {{{needed}}}}}'
                help_ = f"give the payload of each tick: {example}"
                path = (*base, "cron", *at_list, "payload")
                self._fits(Substitution(cron.payload), model, path, f"the payload of {task.id}", missing=help_)

    def _fill(self, value: Any, base: Path) -> Substitution:
        filled = Substitution(value)
        for path in dict.fromkeys(path for path, _ in filled.unset):
            names = " and ".join(dict.fromkeys(name for one, name in filled.unset if one == path))
            fault = f"expected {names} to be set in the environment, got nothing"
            self._refuse((*base, *path), fault, f"set {names} where workers, scheduler and this command run")
        for path, text in filled.malformed:
            fault = f"expected ${{NAME}} with the name of an environment variable, got {quote(text)}"
            help_ = "a name has letters, digits and _, and no default; write $${ for the text ${"
            self._refuse((*base, *path), fault, help_)
        return filled

    def _fits(self, filled: Substitution, model: type[BaseModel], base: Path, name: str, *, missing: str = "") -> None:
        for path, mapping in walk(filled.value):
            owner = only_model_at(model, path) if isinstance(mapping, dict) else None
            if owner is None or owner.model_config.get("extra") in {"allow", "forbid"}:
                continue
            for key in mapping:
                if key not in all_keys(owner):  # the model ignores the key, but it may be a typing error
                    self._refuse((*base, *path, key, KEY), *unknown_key(key, name, accepted_keys(owner)))
        try:
            model.model_validate(filled.value)
        except ValidationError as error:
            note(error, filled.value, Subject(model, base, name, filled.secrets, missing), self._document)
        except Exception as error:  # noqa: BLE001 (a model is foreign code; what it raised is shown)
            self._refuse(base, f"expected {model.__name__} to check {name}, got {type(error).__name__} from it")
