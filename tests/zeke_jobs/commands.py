"""The command line, run within the test's process."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias


class Ran(NamedTuple):
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


#: The fixture ``cli``: runs a command.
Cli: TypeAlias = Callable[..., Ran]
#: The fixture ``make_task``: writes a task into the catalogue.
MakeTask: TypeAlias = Callable[..., None]
