"""Turns a service's ``use: module:Settings`` into its checked settings."""

from pydantic import BaseModel

from zeke_jobs.config.entries import EntryError
from zeke_jobs.config.imports import import_object, kind_of
from zeke_jobs.config.model_schemas import complete
from zeke_jobs.config.models import Service
from zeke_jobs.config.substitution import substitute


def resolve_model(path: str) -> type[BaseModel]:
    """The settings model named by ``module:Settings``.

    Raises:
        EntryError: it cannot be imported, or is not a pydantic model with a method ``open``.
    """
    found = import_object(path)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise EntryError(
            f"expected {path} to be a pydantic model, got {kind_of(found)}",
            "a service names the model of its settings, whose open() returns the service",
        )
    if not callable(getattr(found, "open", None)):
        raise EntryError(
            f"expected {path} to have a method open(), got a model without one",
            "def open(self) -> MyService is called once in each process",
        )
    complete(found)
    return found


def settings(service: Service) -> BaseModel:
    """The service's checked settings, with each ``${NAME}`` filled in from the environment. Their ``open()`` returns the service.

    Raises:
        EntryError: its model cannot be imported.
        pydantic.ValidationError: the settings do not fit it.
    """
    return resolve_model(service.use).model_validate(substitute(service.settings).value)
