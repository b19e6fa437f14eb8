"""Defines the commands of ``zeke-news``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zeke_jobs.cli import run as running
from zeke_jobs.cli.run import Command

if TYPE_CHECKING:
    import typer


_COMMANDS = (
    Command("sources", "sources:app", "Add, list and switch sources, and show their health."),
    Command("site", "engine:app", "Try the rule for a site."),
    Command("stories", "stories:stories", "List stories, the newest first."),
    # In a query, -word excludes a word.
    Command("search", "search:search", "Find stories by words, the best first.", {"ignore_unknown_options": True}),
    Command("read", "stories:read", "Mark stories as read."),
    Command("star", "stories:star", "Star stories."),
    Command("archive", "stories:archive", "Put stories away; lists leave them out."),
    Command("story", "story:story", "Show one story in full."),
    Command("open", "story:open_", "Open a story's page, or print its address."),
    Command("why", "why:why", "Explain where an article is and why it waits."),
    Command("filter", "filters:app", "Drop items before they are fetched."),
    Command("alert", "alerts:app", "Send new stories of a search at once."),
    Command("interests", "interests:app", "Propose words and examples that raise or lower scores."),
    Command("digest", "reports:digest", "Show the latest digest of a day or a week."),
    Command("feed", "stories:feed", "Write stories as Atom or JSON Feed."),
    Command("mcp", "mcp:mcp", "Answer an agent's questions, by the Model Context Protocol."),
    Command("costs", "reports:costs", "Add up the costs of the AI step."),
)


def app(words: Sequence[str] = ()) -> "typer.Typer":
    """Return the application with only the command that the first of ``words`` names, or else with all commands."""
    help_ = "Sources, stories, digests, costs, and where an article is."
    return running.application(help_, lambda: None, "actors.cli", _COMMANDS, words)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command in ``arguments`` (by default the process's own) and return its exit status.

    The status is 0 for success, 1 for a failure or something not found, 2 for wrong configuration or usage, 3 for a
    bug, and 130 for an interruption.
    """
    return running.run(app, "zeke-news", arguments)
