"""Tests run the command line inside their own process."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import pytest


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def says(self, *words: str, status: int = 0) -> str:
        """Check the exit status and that these words were printed; return the output."""
        missing = [one for one in words if one not in self.out + self.err]
        assert (self.status, missing) == (status, []), self.out + self.err
        return self.out


#: The fixture ``cli`` runs a command.
Cli: TypeAlias = Callable[..., Ran]
#: The fixture ``make_task`` writes a task into the catalogue.
MakeTask: TypeAlias = Callable[..., None]
#: The fixture ``new_database`` makes a database.
NewDatabase: TypeAlias = Callable[..., str]
#: The fixture ``log_in`` connects as a member of a role.
LogIn: TypeAlias = Callable[[str], str]
Patch: TypeAlias = pytest.MonkeyPatch
