"""Prints results: tables for people, JSON for scripts. Control characters are escaped."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, tzinfo
from typing import Any, Literal, TypeVar

from pydantic_core import to_jsonable_python
from rich import console as rich_console, markup
from rich.cells import cell_len
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from zeke_jobs.core.quoting import visible, visible_json
from zeke_jobs.core.wording import count, when


class Console(rich_console.Console):  # noqa: TID251
    """Shows control characters as escapes, so that no printed text controls the terminal. ruff forbids other consoles."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Escape control characters before the text is measured, so that columns stay aligned."""
        return super().render_str(visible(text, lines=True), **options)

    def render(
        self, renderable: rich_console.RenderableType, options: rich_console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Escape control characters in printed objects that are not strings, such as a ``Text``."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text, lines=True), segment.style)


__all__ = ["Console", "count", "when"]

_WIDE = 200  # columns of text in a file or pipe

T = TypeVar("T")
_STATUS_STYLES = {"completed": "green", "failed": "red", "active": "cyan", "retry": "yellow", "cancelled": "dim"}


class Markup(str):
    """Holds text with rich's markup, in which texts from users and jobs are already escaped."""

    __slots__ = ()


def console() -> Console:
    """Return a console for standard output. It is as wide as the terminal; a file or pipe gets 200 columns."""
    return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _WIDE)


def escape(text: str, *, lines: bool = False) -> str:
    """Escape a text for rich, so that it contains no markup or control characters, and no line breaks unless ``lines``."""
    return markup.escape(visible(text, lines=lines))  # noqa: TID251


def say(text: str, *, end: str = "\n", is_trouble: bool = False) -> None:
    """Print a text on standard output or error. Markup has no effect; control characters are escaped."""
    print(visible(text, lines=True), end=end, file=sys.stderr if is_trouble else sys.stdout)


def tell(text: str) -> None:
    """Print a text with rich's markup, without wrapping long lines."""
    console().print(text, soft_wrap=True)


def answer(data: object, text: str, *, as_json: bool) -> None:
    """Print one JSON document for scripts, or a text with rich's markup for people."""
    if as_json:
        print_json(data)
    else:
        tell(text)


def facts(title: str, values: Mapping[str, object]) -> None:
    """Print a title, then one line for each name and its value. Values that are empty or None are left out."""
    tell(f"[bold]{escape(title)}[/]")
    for name, value in values.items():
        if value:
            tell(f"  {name:<9} {_cell(value)}")


@contextmanager
def counter(*, shows: bool = True) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the block's progress on standard error. Without a terminal, it shows nothing."""
    with Console(stderr=True, quiet=not shows).status("") as status:
        yield status.update


def named(columns: str) -> dict[str, Any]:
    """Read text such as ``"task, since=applied_on"`` as columns: each a title, with ``=attribute`` if that differs."""
    pairs = (one.partition("=") for one in columns.split(", "))
    return {title: name or title for title, _, name in pairs}


def picked(one: object, names: str) -> dict[str, Any]:
    """Return the attributes in ``names`` by their titles, for JSON or ``facts``. ``named()`` explains the format."""
    return {title: getattr(one, name) for title, name in named(names).items()}


def listing(
    found: Sequence[T],
    columns: Mapping[str, Any],
    *,
    right: tuple[str, ...] = (),
    empty: str = "nothing",
    as_json: bool = False,
    data: Callable[[T], object] = lambda one: one,
) -> None:
    """Print a list: for people as a table with a row for each element, for scripts as a JSON list of ``data(element)``.

    ``columns`` maps a title to the name of an attribute or key (0 is shown as empty), or to a function that returns a
    cell. A cell is ``Markup``, or a value to show as plain text. ``right`` names the columns to align right.
    """
    if as_json:
        print_json([data(one) for one in found])
        return
    rows = [[_cell(_value(one, cell)) for cell in columns.values()] for one in found]
    if not found:
        tell(empty)
    elif sys.stdout.isatty():
        shown = Table(box=None, pad_edge=False, header_style="bold")
        for title in columns:
            is_whole = title in ("id", "task", "status", *right)
            side: Literal["left", "right"] = "right" if title in right else "left"
            shown.add_column(title, justify=side, no_wrap=is_whole, overflow="fold")
        for row in rows:
            shown.add_row(*row)
        console().print(shown)
    else:
        _print_columns(list(columns), rows, right)


def _value(one: Any, cell: Any) -> object:
    if callable(cell):
        return cell(one)
    return (one[cell] if isinstance(one, dict) else getattr(one, cell)) or ""


def _cell(value: object) -> Markup:
    if isinstance(value, Markup):
        return value
    if isinstance(value, list | tuple):
        value = ", ".join(value)
    return Markup(escape(when(value) if isinstance(value, datetime) else "" if value is None else str(value)))


def _print_columns(titles: list[str], rows: Sequence[Sequence[Markup]], right: tuple[str, ...]) -> None:
    """Print a table to a file or pipe, without colours, one line for each row. Rich would take 1 ms a row."""
    columns = []
    for title, *cells in zip(titles, *rows, strict=True):
        texts = [title, *(visible(markup.render(one, emoji=False).plain if "[" in one else one) for one in cells)]
        width = max(map(cell_len, texts))
        spaces = (" " * (width - cell_len(text)) for text in texts)
        columns.append([pad + one if title in right else one + pad for one, pad in zip(texts, spaces, strict=True)])
    say("\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True)))


def print_json(value: Any) -> None:
    """Print one JSON document on standard output."""
    say(visible_json(json.dumps(plain(value), indent=2, ensure_ascii=False)))


def plain(value: Any) -> Any:
    """Return a value as data for JSON: ids, times and money as text, durations in seconds, infinite numbers as null."""
    return to_jsonable_python(value, timedelta_mode="float", inf_nan_mode="null", fallback=vars)


def tick(moment: datetime | None, zone: tzinfo | None = None) -> str:
    """Return a tick's time as text, in ``zone`` or else this machine's time zone. None becomes an empty text."""
    return "" if moment is None else f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M}"


def bounds(limit: object, per_key: object, rate: object, budget: object) -> str:
    """Return the limits of a task on one line, or an empty string if it has none."""
    parts = (limit, per_key and f"{per_key} per key", rate, budget)
    return ", ".join(str(part) for part in parts if part)


def styled(status: str) -> Markup:
    """Return a job's status as coloured text."""
    return coloured(_STATUS_STYLES.get(status, ""), status)


def coloured(style: str, text: str) -> Markup:
    """Return a text in a style of rich. Markup in the text is escaped."""
    return Markup(f"[{style}]{escape(text)}[/]" if style and text else escape(text))
