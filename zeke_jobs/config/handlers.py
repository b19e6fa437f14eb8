"""Imports and checks the handlers, services and middleware that jobs.yaml names, and makes payloads' JSON Schemas."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

from zeke_jobs.config.entries import EntryError
from zeke_jobs.config.imports import Substitution, evaluate, import_object, kind_of
from zeke_jobs.config.models import Middleware, Service, Task
from zeke_jobs.core.context import ChunkContext, Context
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.payload.json_text import UnfitForJson, encode

if TYPE_CHECKING:
    from dramatiq.middleware import Middleware as DramatiqMiddleware


def complete(model: type[BaseModel]) -> None:
    """Resolve the annotations of a model's fields. Raises EntryError, which names the field, if a type is undefined."""
    try:
        model.model_rebuild(_types_namespace={})
    except PydanticUndefinedAnnotation as error:
        uses = re.compile(rf"\b{error.name}\b")
        fields = model.__pydantic_fields__.items()
        its = next((name for name, field in fields if uses.search(str(field.annotation))), "")
        fault = f"expected {_named(model, its)} to have a type that exists at run time, got {error.name}"
        help_ = "import it outside if TYPE_CHECKING:, because pydantic needs it at run time"
        raise EntryError(f"{fault}, which its module does not import then", help_) from error


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return a payload model's JSON Schema, in snake_case. Raises EntryError if Postgres cannot store the schema."""
    complete(model)
    try:
        schema = model.model_json_schema(by_alias=False)
    except Exception as error:  # pydantic's code or a model's own code raised the error
        raise _without_schema(model, error) from error
    try:
        encode(schema)
    except UnfitForJson as error:
        fault = f"expected a JSON Schema of {_named(model)} that Postgres can store, got one with {error}"
        raise EntryError(fault, "such a value is mostly the default of a field") from error
    return schema


def _without_schema(model: type[BaseModel], error: Exception) -> EntryError:
    for name, field in model.__pydantic_fields__.items():
        try:
            alone: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            TypeAdapter(alone).json_schema(by_alias=False)
        except Exception:  # noqa: BLE001 (the caller reports the first error, which has the reason)
            got = field.annotation.__name__ if isinstance(field.annotation, type) else str(field.annotation)
            fault = f"expected {_named(model, name)} to have a type with a JSON Schema, got {got}"
            return EntryError(fault, "a payload is JSON: use types such as str, int, list or another model")
    why = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return EntryError(f"expected a JSON Schema of {_named(model)}, got none: {why}", "")


def _named(model: type[BaseModel], field: str = "") -> str:
    return (f"field {field} of " if field else "") + f"{model.__module__}.{model.__qualname__}"


_SHAPE = "a handler is def {name}(payload: MyPayload, ctx: Context) -> None, or ctx: Context[MySettings]"
_CHUNK_SHAPE = "a handler of chunks is def {name}(payloads: list[MyPayload], ctx: ChunkContext) -> list[object]"

_known: dict[str, Handler] = {}  # by path, because many tasks may share a handler, and a schema takes a millisecond


@dataclass(frozen=True)
class Handler:
    """Holds a handler's function, and the types in the function's annotations."""

    function: Callable[..., Any]
    payload_model: type[BaseModel]
    payload_schema: dict[str, Any]
    settings_model: type[BaseModel] | None  # the model of ``settings``; None for a handler without settings
    is_async: bool  # whether a call returns a coroutine
    takes_chunk: bool  # whether the function takes a list of payloads and a ``ChunkContext``

    def settings(self, task: Task) -> BaseModel | None:
        """Return the task's settings, with each ``${NAME}`` filled in. Raises ValidationError if they are not valid."""
        if self.settings_model is None:
            return None
        return self.settings_model.model_validate(Substitution(task.settings).value)


def resolve(task: Task) -> Handler:
    """Import the task's handler. If it is not valid, raises ConfigurationError with the text that ``check`` shows."""
    try:
        return resolve_path(task.handler, in_chunks=task.chunk is not None)
    except EntryError as error:
        raise ConfigurationError(f"task {task.id}: " + "\n  help: ".join(filter(None, error.args))) from error


def resolve_path(path: str, *, in_chunks: bool = False) -> Handler:
    """Return the handler at ``module:function``, for chunks exactly if ``in_chunks``. Raises EntryError if invalid."""
    found = import_object(path)
    function = inspect.unwrap(found) if callable(found) else found
    if not inspect.isfunction(function):
        raise EntryError(f"expected {path} to be a plain function, got {kind_of(found)}", _shape(path))
    known = _known.get(path)
    if known is None or known.function is not found:
        known = _known[path] = _read(found, function, path)
    if in_chunks and not known.takes_chunk:
        got = known.payload_model.__name__
        fault = f"expected {path} to take list[{got}], because its task has chunk, got {got}"
        raise EntryError(fault, _shape(path, in_chunks=True))
    if known.takes_chunk and not in_chunks:
        fault = f"expected chunk in the task of {path}, which takes list[{known.payload_model.__name__}], got none"
        raise EntryError(fault, "for example chunk: {size: 50, wait: 2s}")
    return known


def _read(found: Callable[..., Any], function: Callable[..., Any], path: str) -> Handler:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise EntryError(f"expected {path} to return its output, got a generator", "return instead of yield")
    parameters = inspect.signature(function).parameters
    try:
        taken = inspect.signature(function).bind(None, None).arguments
    except TypeError:
        taken = {}
    if len(taken) != 2 or (None,) in taken.values():  # a *parameter gets (None,)
        fault = f"expected {path} to take a payload and a context, got ({', '.join(parameters)})"
        raise EntryError(fault, _shape(path))
    for name in taken:
        if parameters[name].annotation is inspect.Parameter.empty:
            raise EntryError(f"expected {name} of {path} to be annotated, got no annotation", _shape(path))
    (first, payload), (second, context) = (
        (name, evaluate(parameters[name].annotation, function, name)) for name in taken
    )
    takes_chunk = get_origin(payload) is list
    model = get_args(payload)[0] if takes_chunk else payload
    payload_model = _model(model, f"{first} of {path} to be annotated with", path)
    kind = ChunkContext if takes_chunk else Context
    if context is not kind and (get_origin(context) is not kind or len(get_args(context)) != 1):
        fault = f"expected {second} of {path} to be annotated with {kind.__name__}, got {_name(context)}"
        raise EntryError(fault, _shape(path, in_chunks=takes_chunk))
    (settings,) = get_args(context) or (None,)
    settings_model = None
    if settings not in (None, type(None), Any) and not isinstance(settings, TypeVar):
        settings_model = _model(settings, f"Context[...] of {path} to name", path)
        complete(settings_model)
    is_async = inspect.iscoroutinefunction(function)
    return Handler(found, payload_model, json_schema(payload_model), settings_model, is_async, takes_chunk)


def _model(found: Any, where: str, path: str) -> type[BaseModel]:
    if isinstance(found, type) and issubclass(found, BaseModel) and found is not BaseModel:
        return found
    raise EntryError(f"expected {where} a pydantic model, got {_name(found)}", _shape(path))


def _shape(path: str, *, in_chunks: bool = False) -> str:
    return (_CHUNK_SHAPE if in_chunks else _SHAPE).format(name=path.rpartition(":")[2])


def _name(annotation: Any) -> str:
    return getattr(annotation, "__name__", None) or repr(annotation)


def resolve_model(path: str) -> type[BaseModel]:
    """Return the model at ``module:Settings``. Raises EntryError if there is no model, or the model has no method ``open``."""
    found = import_object(path)
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        help_ = "a service names the model of its settings, whose open() returns the service"
        raise EntryError(f"expected {path} to be a pydantic model, got {kind_of(found)}", help_)
    if not callable(getattr(found, "open", None)):
        help_ = "def open(self) -> MyService is called once in each process"
        raise EntryError(f"expected {path} to have a method open(), got a model without one", help_)
    complete(found)
    return found


def service_settings(service: Service) -> BaseModel:
    """Return the service's settings, with each ``${NAME}`` filled in. The settings' method ``open`` returns the service.

    Raises EntryError if the settings' model cannot be imported, and ValidationError if the settings do not fit the model.
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
    """Return the class at ``module:Class``. Raises EntryError if it is no middleware, or if zeke_jobs replaces it."""
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
    """Return a model made from the parameters of a middleware's constructor: names, defaults and annotations."""
    fields: dict[str, Any] = {}
    extra = "forbid"
    for parameter in inspect.signature(found).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
        elif parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            default = ... if parameter.default is parameter.empty else parameter.default
            # The field's name has a prefix, because a parameter may have the name of a model's attribute, such as copy.
            try:
                annotation = evaluate(parameter.annotation, found.__init__, parameter.name)
            except (EntryError, AttributeError):  # the constructor is no Python function, or uses an unknown name
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
    """Make the middleware with its settings, in which each ``${NAME}`` is filled in. Raises ConfigurationError."""
    try:
        found = resolve_middleware(stanza.use)
        checked = settings_model(found).model_validate(Substitution(stanza.settings).value)
        own, given = type(checked).model_fields, checked.model_fields_set
        values = {name: value for name, value in checked if name in given}
        return found(**{str(own[name].alias) if name in own else name: value for name, value in values.items()})
    except (EntryError, ValidationError) as error:  # ``check`` reports this error earlier, with its place in jobs.yaml
        raise ConfigurationError(f"middleware {stanza.use}: {error.args[0] if error.args else error}") from error
    except Exception as error:  # foreign code raised this error, which is shown
        got = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"expected {stanza.use} to be made with its settings, got {got}") from error
