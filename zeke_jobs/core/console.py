"""The console that commands print to. No printed text can control the terminal."""

from collections.abc import Iterable
from typing import Any

from rich import console as rich_console
from rich.segment import Segment
from rich.text import Text

from zeke_jobs.core.quoting import visible


class Console(rich_console.Console):  # noqa: TID251
    """Shows control characters in any printed text as escapes, so that no text can control the terminal.

    Commands print only through this and ``say`` (ruff enforces it).
    """

    def render_str(self, text: str, **options: Any) -> Text:
        """Escape text before it is measured, so that columns stay aligned."""
        return super().render_str(visible(text, lines=True), **options)

    def render(
        self, renderable: rich_console.RenderableType, options: rich_console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Escape everything else that is printed, such as a ``Text``."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text, lines=True), segment.style)
