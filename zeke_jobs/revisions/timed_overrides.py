"""A timed override hides permanent and longer ones at its place until it ends; then they apply again. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from zeke_jobs.revisions.store import Override

Path = tuple[str, ...]


def covers(path: Path, other: Path) -> bool:
    """Whether a value at ``path`` replaces a value at ``other``: at the same place or below it."""
    return other[: len(path)] == path


def hidden_by(new: Override, overrides: Sequence[Override]) -> tuple[Override, ...]:
    """The overrides that a new one hides and that outlast it; they apply again at its end."""
    if new.until is None:
        return ()
    found: list[Override] = []
    for one in overrides:
        if covers(new.path, one.path):
            stays = one.until is None or one.until > new.until
            found += [one] if stays else hidden_by(new, one.beneath)
    return tuple(found)


def after(overrides: Sequence[Override], moment: datetime) -> list[Override]:
    """The overrides that are left at a moment, when every override that ends by then has ended."""
    if not overrides:
        return []
    first, later = overrides[0], after(overrides[1:], moment)
    if first.until is None or first.until > moment:
        return [first, *later]
    # Do not bring back an override that a later one has replaced.
    back = [one for one in after(first.beneath, moment) if not any(covers(by.path, one.path) for by in later)]
    return [*back, *later]


def ends(overrides: Sequence[Override]) -> list[datetime]:
    """The end times of overrides, the earliest first."""
    found = {one.until for one in overrides if one.until is not None}
    return sorted(found.union(*(ends(one.beneath) for one in overrides)))


def lasting(overrides: Sequence[Override]) -> list[Override]:
    """Permanent overrides, including hidden ones; none for draining tasks."""
    times = ends(overrides)
    return [one for one in (after(overrides, times[-1]) if times else overrides) if one.drains is None]
