"""test_middleware.py names these classes in jobs.yaml."""
# mypy: disable-error-code="misc, func-returns-value"

from typing import Any, Literal

from dramatiq.middleware import Middleware, MiddlewareError, Pipelines, SkipMessage

HEARD: list[tuple[str, Any]] = []


class Recorder(Middleware):
    def __init__(self, *, only: Literal["jobs", "process"] = "jobs") -> None:
        self.only = only

    def before_process_message(self, broker: Any, message: Any) -> None:
        HEARD.append(("before", message.actor_name))

    def after_process_message(self, broker: Any, message: Any, *, result: Any = None, exception: Any = None) -> None:
        expected = isinstance(exception, broker.get_actor(message.actor_name).options["throws"])
        HEARD.append(("after", exception if exception is not None else result))
        HEARD.append(("is", ("expected" if expected else "error") if exception is not None else "result"))

    def after_skip_message(self, broker: Any, message: Any) -> None:
        HEARD.append(("skipped", message.failed))

    def after_ack(self, broker: Any, message: Any) -> None:
        HEARD.append(("acknowledged", message.failed))

    def after_nack(self, broker: Any, message: Any) -> None:
        HEARD.append(("rejected", message.failed))


class Skips(Middleware):
    """This middleware skips each message. If ``fails`` is true, it first marks the message as failed."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails

    def before_process_message(self, broker: Any, message: Any) -> None:
        if self.fails:
            message.fail()
        raise SkipMessage("out of stock")


class Fails(Middleware):
    def after_process_message(self, broker: Any, message: Any, **_: Any) -> None:
        message.fail()


class Raises(Middleware):
    def __init__(self, *, hook: str, what: str) -> None:
        kinds = {"error": OSError("broken"), "exit": SystemExit(1), "middleware": MiddlewareError("refused")}

        kind = kinds[what]

        def raises(*_: Any, **__: Any) -> None:
            raise kind

        setattr(self, hook, raises)


class OwnPipelines(Pipelines):
    """This subclass changes nothing in Dramatiq's Pipelines."""
