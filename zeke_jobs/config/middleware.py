"""From ``use: module:Class`` to a Dramatiq middleware with its settings."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError

from zeke_jobs.config.annotations import evaluate
from zeke_jobs.config.entries import EntryError
from zeke_jobs.config.imports import import_object, kind_of
from zeke_jobs.config.substitution import substitute
from zeke_jobs.errors import ConfigurationError

if TYPE_CHECKING:
    from dramatiq.middleware import Middleware as DramatiqMiddleware

    from zeke_jobs.config.models import Middleware


def resolve_middleware(path: str) -> type[DramatiqMiddleware]:
    """The class that ``module:Class`` names.

    Raises:
        EntryError: it cannot be imported, is no middleware, or would do what zeke_jobs does.
    """
    from dramatiq.middleware import Middleware, Retries
    from dramatiq.results import Results

    found = import_object(path)
    if not (isinstance(found, type) and issubclass(found, Middleware)):
        raise EntryError(
            f"expected {path} to be a Dramatiq middleware, got {kind_of(found)}",
            "a middleware is a subclass of dramatiq.Middleware",
        )
    for theirs, instead in ((Retries, "retry: in defaults or in a task"), (Results, "each job keeps its output")):
        if issubclass(found, theirs):
            raise EntryError(
                f"expected a middleware that zeke_jobs does not replace, got Dramatiq's {theirs.__name__}", instead
            )
    return found


def settings_model(found: type[DramatiqMiddleware]) -> type[BaseModel]:
    """A model of the arguments with which a middleware is made, by their names, defaults and annotations."""
    fields: dict[str, Any] = {}
    extra = "forbid"
    for parameter in inspect.signature(found).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
        elif parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            default = ... if parameter.default is parameter.empty else parameter.default
            # Under another name than its key's: a model has attributes of its own, such as copy.
            fields[f"key_{parameter.name}"] = (_annotation(parameter, found), Field(default, alias=parameter.name))
    config = ConfigDict(extra=extra, arbitrary_types_allowed=True, protected_namespaces=())  # type: ignore[typeddict-item]
    try:
        return create_model(found.__name__, __config__=config, **fields)
    except (PydanticUserError, TypeError):  # an annotation that is none to pydantic
        fields = {name: (Any, field) for name, (_, field) in fields.items()}
        return create_model(found.__name__, __config__=config, **fields)


def open_middleware(stanza: Middleware) -> DramatiqMiddleware:
    """The middleware, made with its settings, with each ``${NAME}`` filled in from the environment.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        found = resolve_middleware(stanza.use)
        checked = settings_model(found).model_validate(substitute(stanza.settings).value)
        own = type(checked).model_fields
        said = {str(own[name].alias): getattr(checked, name) for name in own if name in checked.model_fields_set}
        return found(**said, **(checked.model_extra or {}))
    except (EntryError, ValidationError) as error:  # ``check`` has said so before, with its place in jobs.yaml
        raise ConfigurationError(f"middleware {stanza.use}: {error.args[0] if error.args else error}") from error
    except Exception as error:  # its own code; what it raised is shown
        raise ConfigurationError(
            f"expected {stanza.use} to be made with its settings, got {type(error).__name__}: {error}"
        ) from error


def _annotation(parameter: inspect.Parameter, found: type) -> Any:
    if parameter.annotation is parameter.empty:
        return Any
    try:
        return evaluate(parameter.annotation, found.__init__, parameter.name)  # type: ignore[misc]
    except (EntryError, AttributeError):  # not a function of Python's, or a name that is not there: anything goes
        return Any
