"""``zeke-jobs plan``: the effects of a jobs.yaml before it is applied."""

from functools import partial
from typing import Annotated, Any

from psycopg2.extensions import connection as Connection

from zeke_jobs.backtest.comparing import Backtest, of_newest
from zeke_jobs.cli import database, options
from zeke_jobs.cli.configuration import backtest_report, changes
from zeke_jobs.cli.configuration.check import File, load
from zeke_jobs.cli.output import console, escape, plain, print_json, tell, when
from zeke_jobs.cli.queue.filters import with_options
from zeke_jobs.cli.run import FINE, PENDING, UsageError
from zeke_jobs.core import environment
from zeke_jobs.revisions import store
from zeke_jobs.revisions.affected_jobs import Orders
from zeke_jobs.revisions.diff import Plan
from zeke_jobs.revisions.proposal import Proposal, Request, propose

_ORDERS: dict[str, Any] = {
    "drain": Annotated[
        list[str] | None,
        options.option("A removed task runs until its jobs have ended, and takes no new ones.", "TASK"),
    ],
    "cancel": Annotated[list[str] | None, options.option("The jobs of a removed task are cancelled.", "TASK")],
    "rename": Annotated[list[str] | None, options.option("The jobs of OLD become jobs of NEW.", "OLD=NEW")],
}
with_orders = partial(with_options, added=_ORDERS)


@with_orders
def plan(ordered: dict[str, Any], file: File = None, as_json: options.Json = False) -> int:
    """Show the changes that a jobs.yaml would make. Exit 0 for none, 4 for some, 2 if the file is refused."""
    wanted = load(file or environment.config_path())
    with database.connection("plan") as conn:
        found = propose(conn, Request(wanted, environment.author(), orders=orders(ordered)))
        answer = _backtest(conn, found)
    if as_json:
        data = backtest_report.as_data(answer) if isinstance(answer, Backtest) else answer and {"none": answer}
        print_json({**as_data(found.plan), "backtest": data})
    else:
        show(found)
        if isinstance(answer, Backtest):
            of = f"{answer.jobs:,} jobs since {when(answer.begin)}, confidence {answer.confidence.level}"
            tell(f"backtest of {of} (zeke-jobs backtest shows all)")
            for line in backtest_report.headline(answer):
                tell(f"    {line}")
        elif answer is not None:
            tell(f"backtest: {escape(answer)}")
    return PENDING if found.plan.is_pending else FINE


def _backtest(conn: Connection, proposal: Proposal) -> Backtest | str | None:
    """The backtest of a change, or the reason why there is none; None when the change has no effect on jobs."""
    if proposal.latest is None or not proposal.plan.changes:
        return None
    if proposal.before is None:
        return "this code can no longer read the revision in force"
    if not store.sees_all(conn):
        return "it reads the keys of jobs, so it needs a login with the role zeke_jobs_operator"
    return of_newest(conn, proposal.before, proposal.config)


def orders(ordered: dict[str, Any]) -> Orders:
    """The orders for the jobs of removed tasks, from the options."""
    names: dict[str, str] = {}
    for one in ordered.get("rename", ()):
        old, new = options.pair(one, "--rename OLD=NEW")
        if old in names:
            raise UsageError(f"expected one new name for {old}, got {names[old]} and {new}")
        names[old] = new
    return Orders(frozenset(ordered.get("drain", ())), frozenset(ordered.get("cancel", ())), names)


def as_data(found: Plan) -> dict[str, Any]:
    """A plan for scripts."""
    data: dict[str, Any] = plain(found)
    return {"pending": found.is_pending, "stranded": bool(found.stranded), **data}


def show(proposal: Proposal) -> None:
    """Print a plan."""
    latest, found = proposal.latest, proposal.plan
    if latest is None:
        tell("nothing was ever in force; all of the file is new")
    else:
        why = escape(f": {latest.message}" if latest.message else "")
        applied = f"since {when(latest.applied_on)}, by {escape(latest.applied_by)}"
        tell(f"in force: revision {latest.number}, {applied}{why}")
    for line in changes.plan_lines(found):
        tell(line)
    console().print(changes.summary(found))
    if found.stranded:
        console().print("[red]apply refuses this[/] unless --drain, --cancel or --rename decides about these jobs")
