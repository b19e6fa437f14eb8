"""Stretches of a text, its lines, and all its faults in one message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from zeke_jobs.core.diagnostic import Diagnostic

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the text. Lines and columns count from 1; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


def split_lines(text: str) -> list[str]:
    """The lines of a text as YAML counts them; at least one."""
    return _BREAK.split(text)


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """All faults in readable form, and their number."""
    listed = list(diagnostics)
    count = "1 error" if len(listed) == 1 else f"{len(listed)} errors"
    return "\n\n".join([*map(str, listed), f"{count} in {listed[0].file}" if listed else count])
