"""The command line runs inside the test's process."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias


class Ran(NamedTuple):
    """Each run has an exit status and the printed text."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


#: The fixture ``cli`` runs a command.
Cli: TypeAlias = Callable[..., Ran]
#: The fixture ``make_task`` writes a task into the catalogue.
MakeTask: TypeAlias = Callable[..., None]
