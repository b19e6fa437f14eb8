"""``nox -s chaos`` causes faults under load, proves that no job was lost, and prints a table."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence

from tests.lab import server
from tests.lab.chaos import outcome
from tests.lab.chaos.outcome import Impossible, Outcome, Promise
from tests.lab.chaos.scenarios import SCENARIOS

_LONGEST = 420  # A scenario that takes more seconds hangs.


class TooLong(BaseException):
    """A scenario has taken too long."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named scenarios, or all; return 0 if all promises held, and 1 otherwise."""
    chosen = server.command("chaos", __doc__, arguments, SCENARIOS, quick="short phases")
    signal.signal(signal.SIGALRM, _too_long)
    for name in [name for name in os.environ if name.startswith("ZEKE_JOBS_") or name == "DATABASE_URL"]:
        del os.environ[name]
    if chosen.server:
        os.environ["ZEKE_TEST_PG_BIN"] = str(chosen.server)
    began = time.monotonic()
    outcomes: list[Outcome] = []
    for name in chosen.parts:
        server.announce(f"{time.monotonic() - began:.0f} s {name}")
        outcomes.append(_run(name, quick=chosen.quick))
        print(f"  {_said(outcomes[-1])}", file=sys.stderr, flush=True)
    print(outcome.table(outcomes, _about(outcomes, time.monotonic() - began, quick=chosen.quick)))
    return 0 if all(one.held for one in outcomes) else 1


def _run(name: str, *, quick: bool) -> Outcome:
    signal.alarm(_LONGEST)
    began = time.monotonic()
    try:
        return SCENARIOS[name](quick=quick)
    except Impossible as reason:
        return Outcome(name, broke="", skipped=str(reason))
    except (Exception, TooLong) as error:  # noqa: BLE001 (the others go on; it stands in the table)
        traceback.print_exc()
        said = f"the scenario runs to its end, got {type(error).__name__}: {str(error)[:300]}"
        return Outcome(name, broke="", promises=(Promise(said, held=False),), seconds=time.monotonic() - began)
    finally:
        signal.alarm(0)


def _too_long(*_: object) -> None:
    raise TooLong(f"expected at most {_LONGEST} s")


def _said(one: Outcome) -> str:
    if one.skipped:
        return f"skipped: {one.skipped}"
    broken = "".join(f"\n    NOT: {text}" for text in one.broken())
    stuck = "".join(f"\n    stuck: {text}" for text in one.stuck)
    return f"{' | '.join(outcome.cells(one)[2:8])} in {one.seconds:.0f} s{broken}{stuck}"


def _about(outcomes: Sequence[Outcome], seconds: float, *, quick: bool) -> str:
    which = next((f"{one.server}; " for one in outcomes if one.server), "")
    return f"{which}{server.machine()}, {seconds:.0f} s{', quick' if quick else ''}."


if __name__ == "__main__":
    sys.exit(main())
