"""What is set for a time over what was set before: what it hides, and what stands when its time is over. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from zeke_jobs.revisions.store import Override

Path = tuple[str, ...]


def covers(path: Path, other: Path) -> bool:
    """Whether a value at a path takes the place of one at the other: at the same place, or below."""
    return other[: len(path)] == path


def hidden_by(new: Override, overrides: Sequence[Override]) -> tuple[Override, ...]:
    """Of the overrides whose places a new one takes, those that come back when its time is over: what was set for longer."""
    if new.until is None:
        return ()
    found: list[Override] = []
    for one in overrides:
        if covers(new.path, one.path):
            stays = one.until is None or one.until > new.until
            found += [one] if stays else hidden_by(new, one.beneath)
    return tuple(found)


def after(overrides: Sequence[Override], moment: datetime) -> list[Override]:
    """What stands once everything has ended that ends by a moment."""
    if not overrides:
        return []
    first, later = overrides[0], after(overrides[1:], moment)
    if first.until is None or first.until > moment:
        return [first, *later]
    # What was set since, at its place, stays.
    back = [one for one in after(first.beneath, moment) if not any(covers(by.path, one.path) for by in later)]
    return [*back, *later]


def ends(overrides: Sequence[Override]) -> list[datetime]:
    """When something ends, the next first."""
    found = {one.until for one in overrides if one.until is not None}
    return sorted(found.union(*(ends(one.beneath) for one in overrides)))


def lasting(overrides: Sequence[Override]) -> list[Override]:
    """What is set for good, be it hidden for a time; nothing of what drains."""
    times = ends(overrides)
    return [one for one in (after(overrides, times[-1]) if times else overrides) if one.drains is None]
