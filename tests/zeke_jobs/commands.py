"""The command line, run within the test's process."""

import json
from typing import Any, NamedTuple


class Ran(NamedTuple):
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)
