"""Where commands print: a console that no text can command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import console as rich_console
from rich.segment import Segment

from zeke_jobs.core.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text


class Console(rich_console.Console):  # noqa: TID251
    """A console that no text can command: whatever is printed, control characters in it are shown as escapes.

    Commands print by this and by ``say``, and by nothing else (ruff holds it).
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Before it is measured, so that columns stay straight."""
        return super().render_str(visible(text, lines=True), **options)

    def render(
        self, renderable: rich_console.RenderableType, options: rich_console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Whatever else is printed, such as a ``Text`` that somebody made."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text, lines=True), segment.style)
