"""What jobs.yaml says about code: handlers and services exist, and settings and payloads fit their models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from zeke_jobs.config.entries import EntryError
from zeke_jobs.config.fields import accepted_keys, all_keys, lost_step, mappings, only_model_at
from zeke_jobs.config.handlers import resolve_path
from zeke_jobs.config.services import resolve_model
from zeke_jobs.config.substitution import Substitution, substitute
from zeke_jobs.config.validation import Subject, note
from zeke_jobs.config.wording import unknown_key
from zeke_jobs.core.quoting import quote, suggest
from zeke_jobs.errors import MigrationError

if TYPE_CHECKING:
    from zeke_jobs.config.diagnostics import Report
    from zeke_jobs.config.handlers import Handler
    from zeke_jobs.config.models import Config, Service, Task
    from zeke_jobs.config.places import Document, Path


def check_code(document: Document, config: Config, report: Report) -> None:
    """Import all handlers and services, and report what is wrong with them or with what the file gives them."""
    checks = _Checks(document, report)
    for place, package in enumerate(config.migrations):
        checks.migrations(package, ("migrations", place))
    for service in config.services.values():
        checks.service(service)
    for task in config.tasks.values():
        checks.task(task)


class _Checks:
    def __init__(self, document: Document, report: Report) -> None:
        self._document = document
        self._report = report

    def migrations(self, package: str, path: Path) -> None:
        from zeke_jobs.postgres.migrate import of_package

        try:
            of_package(package)
        except MigrationError as error:
            self._report.add(self._document.head(path), str(error))

    def service(self, service: Service) -> None:
        base: Path = ("services", service.name)
        filled = self._fill(service.settings, base)
        if not service.use:
            return
        try:
            model = resolve_model(service.use)
        except EntryError as error:
            self._report.add(self._document.head((*base, "use")), *error.args)
            return
        self._fits(filled, model, base, f"service {service.name}")

    def task(self, task: Task) -> None:
        base: Path = ("tasks", task.id)
        settings = (*base, "settings")
        filled = self._fill(task.settings, settings)
        if not task.handler:
            return
        try:
            handler = resolve_path(task.handler)
        except EntryError as error:
            self._report.add(self._document.head((*base, "handler")), *error.args)
            return
        if handler.settings_model is not None:
            self._fits(filled, handler.settings_model, settings, f"the settings of {task.id}")
        elif task.settings:
            self._report.add(
                self._document.key(settings),
                f"expected no settings, got some for {task.handler}, which takes none",
                "a handler that takes settings has ctx: Context[MySettings]",
            )
        self._payload(task, handler, base)

    def _payload(self, task: Task, handler: Handler, base: Path) -> None:
        model = handler.payload_model
        for key in ("sensitive", "unique"):
            names = task.sensitive if key == "sensitive" else task.unique.fields if task.unique else ()
            for at, name in enumerate(names):
                steps = name.split(".") if key == "sensitive" else [name]
                # As jobs are stored: under Python's names.
                if (astray := lost_step(model, steps)) is not None:
                    step, beside = astray
                    fault = f"expected a field of {task.id}'s payload, got {quote(name)}"
                    self._report.add(self._item((*base, key), at), fault, suggest(step, beside, what="there are"))
        if task.cron is not None and task.cron.at:
            path: Path = (*base, "cron", "payload")
            self._fits(Substitution(task.cron.payload), model, path, f"the payload of {task.id}")

    def _item(self, path: Path, at: int) -> Any:
        """``unique`` is a list, or a mapping with the list under ``fields``."""
        deeper = (*path, "fields", at)
        return self._document.head(deeper if self._document.find(deeper)[1] == deeper else (*path, at))

    def _fill(self, value: Any, base: Path) -> Substitution:
        filled = substitute(value)
        for path in dict.fromkeys(path for path, _ in filled.unset):
            names = " and ".join(dict.fromkeys(name for one, name in filled.unset if one == path))
            self._report.add(
                self._document.head((*base, *path)),
                f"expected {names} to be set in the environment, got nothing",
                f"set {names} where workers, scheduler and this command run",
            )
        for path, text in filled.malformed:
            self._report.add(
                self._document.head((*base, *path)),
                f"expected ${{NAME}} with the name of an environment variable, got {quote(text)}",
                "letters, digits and _ make a name; there are no defaults; write $${ for the text ${",
            )
        return filled

    def _fits(self, filled: Substitution, model: type[BaseModel], base: Path, name: str) -> None:
        for path, mapping in mappings(filled.value):
            if (owner := only_model_at(model, path)) is not None:
                self._known_keys(mapping, owner, (*base, *path), name)
        try:
            model.model_validate(filled.value)
        except ValidationError as error:
            note(error, Subject(model, base, name, {}, filled.secrets), self._document, self._report)
        except Exception as error:  # noqa: BLE001 (a model is foreign code; what it raised is shown)
            self._report.add(
                self._document.head(base),
                f"expected {model.__name__} to check {name}, got {type(error).__name__} from it",
            )

    def _known_keys(self, value: dict[str, Any], model: type[BaseModel], base: Path, name: str) -> None:
        """A model that ignores keys it does not know would hide a typing error."""
        if model.model_config.get("extra") in {"allow", "forbid"}:
            return
        for key in value:
            if key not in all_keys(model):
                self._report.add(self._document.key((*base, key)), *unknown_key(key, name, accepted_keys(model)))
