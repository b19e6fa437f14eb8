"""Turns `use:` of a service into its checked settings, and `use:` of a middleware into a Dramatiq middleware."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError

from zeke_jobs.config.entries import EntryError
from zeke_jobs.config.handlers import complete
from zeke_jobs.config.imports import Substitution, evaluate, import_object, kind_of
from zeke_jobs.config.models import Middleware, Service
from zeke_jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from dramatiq.middleware import Middleware as DramatiqMiddleware


def resolve_model(path: str) -> type[BaseModel]:
    """The model at ``module:Settings``. Raises EntryError if there is none, or it has no method ``open``."""
    found = import_object(path)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        help_ = "a service names the model of its settings, whose open() returns the service"
        raise EntryError(f"expected {path} to be a pydantic model, got {kind_of(found)}", help_)
    if not callable(getattr(found, "open", None)):
        help_ = "def open(self) -> MyService is called once in each process"
        raise EntryError(f"expected {path} to have a method open(), got a model without one", help_)
    complete(found)
    return found


def settings(service: Service) -> BaseModel:
    """The service's settings, with each ``${NAME}`` filled in; ``open()`` returns the service.

    Raises EntryError if the model cannot be imported, and ValidationError if the settings do not fit it.
    """
    return resolve_model(service.use).model_validate(Substitution(service.settings).value)


_INSTEAD = {
    "Callbacks": "a handler calls ctx.send at its end; on_failed: in a task names one that gets its failed jobs",
    "GroupCallbacks": "ctx.batch or zeke_jobs.batch with then=: a job is sent when all jobs of the batch have ended",
    "Pipelines": "a handler sends the next job with what it found: ctx.send",
    "Results": "each job keeps its output",
    "Retries": "retry: in defaults or in a task",
    "TimeLimit": "timeout: in defaults or in a task",
}


def resolve_middleware(path: str) -> type[DramatiqMiddleware]:
    """The class at ``module:Class``. Raises EntryError if it is no middleware, or does work that zeke_jobs does itself."""
    from dramatiq.middleware import Middleware

    found = import_object(path)
    if not (isinstance(found, type) and issubclass(found, Middleware)):
        help_ = "a middleware is a subclass of dramatiq.Middleware"
        raise EntryError(f"expected {path} to be a Dramatiq middleware, got {kind_of(found)}", help_)
    for theirs in found.__mro__:
        if theirs.__module__.startswith("dramatiq.") and (instead := _INSTEAD.get(theirs.__name__)):
            fault = f"expected a middleware that zeke_jobs does not replace, got Dramatiq's {theirs.__name__}"
            raise EntryError(fault, instead)
    return found


def settings_model(found: type[DramatiqMiddleware]) -> type[BaseModel]:
    """A model made from the parameters of a middleware's constructor: names, defaults and annotations."""
    fields: dict[str, Any] = {}
    extra = "forbid"
    for parameter in inspect.signature(found).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
        elif parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            default = ... if parameter.default is parameter.empty else parameter.default
            # The field's name differs from its key, because some keys, such as copy, are attributes of a model.
            try:
                annotation = evaluate(parameter.annotation, found.__init__, parameter.name)
            except (EntryError, AttributeError):  # not a Python function, or an unknown name
                annotation = parameter.empty
            kind = Any if annotation is parameter.empty else annotation
            fields[f"key_{parameter.name}"] = (kind, Field(default, alias=parameter.name))
    config = ConfigDict(extra=extra, arbitrary_types_allowed=True, protected_namespaces=())  # type: ignore[typeddict-item]
    try:
        return create_model(found.__name__, __config__=config, **fields)
    except (PydanticUserError, TypeError):  # pydantic cannot use an annotation
        fields = {name: (Any, field) for name, (_, field) in fields.items()}
        return create_model(found.__name__, __config__=config, **fields)


def open_middleware(stanza: Middleware) -> DramatiqMiddleware:
    """Make the middleware with its settings, each ``${NAME}`` filled in. Raises ConfigurationError."""
    try:
        found = resolve_middleware(stanza.use)
        checked = settings_model(found).model_validate(Substitution(stanza.settings).value)
        own, given = type(checked).model_fields, checked.model_fields_set
        values = {name: value for name, value in checked if name in given}
        return found(**{str(own[name].alias) if name in own else name: value for name, value in values.items()})
    except (EntryError, ValidationError) as error:  # ``check`` reports it earlier, with its place in jobs.yaml
        raise ConfigurationError(f"middleware {stanza.use}: {error.args[0] if error.args else error}") from error
    except Exception as error:  # foreign code; its exception is shown
        got = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"expected {stanza.use} to be made with its settings, got {got}") from error
