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
        # Of a long line the part around the fault.
        start = max(0, self.column - 1 - _WIDEST // 2) if len(self.source) > _WIDEST else 0
        before, shown = self.column - 1 - start, self.source[start : start + _WIDEST]
        carets = "^" * max(1, min(self.length, len(shown) - before))
        blank = "".join("\t" if char == "\t" else " " for char in shown[:before])
        lines = [head]
        if self.source.strip():
            lines += [gutter + printable(shown), " " * (len(gutter) - 2) + "| " + blank + carets]
        if self.help:
            lines += [f"  help: {self.help}"]
        return "\n".join(lines)
