"""The commands of ``zeke-news``, and what their errors look like."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psycopg2
import typer

from actors.cli import costs, digest, sources, stories, story, why
from actors.store.news import NotUnique
from zeke_jobs.errors import ConfigurationError, ZekeJobsError

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(
    help="Sources, stories, digests, costs, and where an article is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(sources.app, name="sources")
app.command("stories")(stories.stories)
app.command("story")(story.story)
app.command("why")(why.why)
app.command("digest")(digest.digest)
app.command("costs")(costs.costs)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return the exit status."""
    try:
        status = app(list(arguments), standalone_mode=False, prog_name="zeke-news")
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        return 130
    except ConfigurationError as error:
        return _say(error, 2)
    except (LookupError, NotUnique, ZekeJobsError) as error:
        return _say(error, 1)
    except psycopg2.errors.UndefinedTable as error:
        return _say(f"{error.diag.message_primary}; run zeke-jobs migrate", 1)
    except psycopg2.OperationalError as error:
        return _say(f"the database does not answer: {str(error).strip()}", 1)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # a usage error of typer's parser
            return _say(error.format_message(), int(error.exit_code))
        raise
    return status if isinstance(status, int) else 0


def _say(error: object, status: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return status
