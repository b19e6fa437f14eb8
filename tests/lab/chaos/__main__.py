"""``nox -s chaos`` causes faults under load, proves that no job was lost, and prints a table."""

import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial

from tests.lab import server
from tests.lab.chaos import database, processes
from tests.lab.chaos.proof import Impossible, Outcome

_ALL: tuple[Callable[..., Outcome], ...] = (
    *(processes.kill_workers, processes.killer, processes.strike, processes.freeze),
    *(processes.wrong_clock, database.restart_database, database.use_up_connections, database.fill_disk),
    *(database.fail_over, processes.stall, processes.async_blocked),
)
SCENARIOS = {one.__name__.replace("_", "-"): one for one in _ALL}
SCENARIOS["async-kill"] = partial(processes.kill_workers, **processes.ASYNC)
SCENARIOS["async-freeze"] = partial(processes.freeze, **processes.ASYNC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named scenarios, or all; return 0 if all promises held, and 1 otherwise."""
    chosen = server.command("chaos", __doc__, arguments, SCENARIOS, quick="short phases")
    if chosen.server:
        os.environ["ZEKE_TEST_PG_BIN"] = str(chosen.server)
    began = time.monotonic()
    outcomes: dict[str, Outcome] = {}
    for name in chosen.parts:
        server.say(f"{time.monotonic() - began:.0f} s {name} …")
        outcomes[name] = found = _run(name, quick=chosen.quick)
        print("\n    NOT: ".join([f"  {found.said}", *found.broken]), file=sys.stderr, flush=True)
    which = next((f"{one.server}; " for one in outcomes.values() if one.server), "")
    print(f"{which}{server.machine()}, {time.monotonic() - began:.0f} s{', quick' if chosen.quick else ''}.\n")
    verdicts = {name: "BROKEN" if one.broken else "held" if one.server else "" for name, one in outcomes.items()}
    rows = ((f"`{name}`", verdicts[name], one.said) for name, one in outcomes.items())
    print(server.table(("scenario", "", "fault, figures and what is required"), rows))
    return 1 if "BROKEN" in verdicts.values() else 0


def _run(name: str, *, quick: bool) -> Outcome:
    try:
        return SCENARIOS[name](quick=quick)
    except Impossible as reason:
        return Outcome(f"skipped: {reason}")
    except Exception as error:  # noqa: BLE001 (the others go on; it stands in the table)
        traceback.print_exc()
        said = f"the scenario runs to its end, got {type(error).__name__}: {str(error)[:300]}"
        return Outcome(said, [said])


if __name__ == "__main__":
    sys.exit(main())
