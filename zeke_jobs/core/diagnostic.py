"""A fault in a text: its place, the expected value and the accepted ones."""

from dataclasses import dataclass

from zeke_jobs.core.quoting import printable

_WIDEST = 100


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One fault with its place; ``str()`` formats it for people.

    Attributes:
        file: Name of the text.
        line: From 1.
        column: From 1, in characters.
        message: "expected X, got Y".
        help: The remedy, or "".
        length: Number of characters at fault.
        source: The line at fault.
    """

    file: str
    line: int
    column: int
    message: str
    help: str = ""
    length: int = 1
    source: str = ""

    def __str__(self) -> str:
        head = f"{self.file}:{self.line}:{self.column}: error: {self.message}"
        gutter = f"{self.line:>5} | "
        before, shown = _crop(self.source, self.column - 1)
        carets = "^" * max(1, min(self.length, len(shown) - before))
        blank = "".join("\t" if char == "\t" else " " for char in shown[:before])
        lines = [head]
        if self.source.strip():
            lines += [gutter + printable(shown), " " * (len(gutter) - 2) + "| " + blank + carets]
        if self.help:
            lines += [f"  help: {self.help}"]
        return "\n".join(lines)


def _crop(source: str, at: int) -> tuple[int, str]:
    """The part of a long line around ``at``, and the position of ``at`` in it."""
    start = max(0, at - _WIDEST // 2) if len(source) > _WIDEST else 0
    return at - start, source[start : start + _WIDEST]
