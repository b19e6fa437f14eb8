"""The commands of ``zeke-news``, and the form of their errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from actors.cli import costs, digest, feed, search, sources, states, stories, story, why
from zeke_jobs.cli import run as running

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(
    help="Sources, stories, digests, costs, and where an article is.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def _root() -> None:
    pass


app.add_typer(sources.app, name="sources", short_help="Add, list and switch sources; how well they are.")
app.command("stories", short_help="List stories, the newest first.")(stories.stories)
app.command(
    "search",
    short_help="Look for words in all stories, the best first.",
    context_settings={"ignore_unknown_options": True},  # -word leaves a word out
)(search.search)
app.command("read", short_help="Mark stories as read.")(states.read)
app.command("star", short_help="Star stories.")(states.star)
app.command("archive", short_help="Put stories away; lists leave them out.")(states.archive)
app.command("story", short_help="Show one story in full.")(story.story)
app.command("why", short_help="Explain where an article is and why it waits.")(why.why)
app.command("digest", short_help="Show the latest digest of a day or a week.")(digest.digest)
app.command("feed", short_help="Write stories as Atom or JSON Feed.")(feed.feed)
app.command("costs", short_help="Add up the costs of the AI step.")(costs.costs)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command in ``arguments`` (by default the process's own) and return its exit status.

    0 success, 1 failed or not found, 2 configuration or usage, 3 a bug of ours, 130 interrupted.
    """
    return running.run(app, "zeke-news", arguments)
