"""``nox -s chaos`` causes faults under load, proves that no job was lost, and prints a table."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence

from tests.lab import server
from tests.lab.chaos import outcome
from tests.lab.chaos.outcome import Impossible, Outcome
from tests.lab.chaos.scenarios import SCENARIOS

_LONGEST = 420  # A scenario that takes more seconds hangs.


class TooLong(BaseException):
    """A scenario has taken too long."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named scenarios, or all; return 0 if all promises held, and 1 otherwise."""
    chosen = server.command("chaos", __doc__, arguments, SCENARIOS, quick="short phases")
    signal.signal(signal.SIGALRM, _too_long)
    if chosen.server:
        os.environ["ZEKE_TEST_PG_BIN"] = str(chosen.server)
    began = time.monotonic()
    outcomes: list[Outcome] = []
    for name in chosen.parts:
        server.announce(f"{time.monotonic() - began:.0f} s {name}")
        outcomes.append(found := _run(name, quick=chosen.quick))
        said = [f"NOT: {text}" for text in found.broken] + [f"stuck: {text}" for text in found.stuck]
        print("\n    ".join([f"  {found.row()} {found.skipped}", *said]), file=sys.stderr, flush=True)
    which = next((f"{one.server}; " for one in outcomes if one.server), "")
    about = f"{which}{server.machine()}, {time.monotonic() - began:.0f} s{', quick' if chosen.quick else ''}."
    print(outcome.table(outcomes, about))
    return 1 if any(one.broken for one in outcomes) else 0


def _run(name: str, *, quick: bool) -> Outcome:
    signal.alarm(_LONGEST)
    try:
        return SCENARIOS[name](quick=quick)
    except Impossible as reason:
        return Outcome(name, skipped=str(reason))
    except (Exception, TooLong) as error:  # noqa: BLE001 (the others go on; it stands in the table)
        traceback.print_exc()
        said = f"the scenario runs to its end, got {type(error).__name__}: {str(error)[:300]}"
        return Outcome(name, promises=[(said, False)])
    finally:
        signal.alarm(0)


def _too_long(*_: object) -> None:
    raise TooLong(f"expected at most {_LONGEST} s")


if __name__ == "__main__":
    sys.exit(main())
