"""The licences of all that an installation brings along: ``python -m tests.licences`` writes docs/licences.md."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "licences.md"
HEAD = """\
# Licences

All that `pip install zeke-jobs` brings along, with what its authors say; zeke_jobs itself is under the MIT licence. Written by
`python -m tests.licences`; a test compares it with what is installed.

Nothing here asks more of an application that uses it than to pass the licence on. chardet, dramatiq, periodiq and psycopg2 are under the LGPL: they are used as
they are published, and may be replaced by the user's own versions. The extra `local` adds wordllama (MIT) and what it needs, all permissive;
the extra `plot` adds matplotlib (a licence like that of Python) and what it needs, all permissive.

| package | licence | brought by |
|---|---|---|
"""
#: What authors write, and the identifier of the SPDX list that they mean.
_MEANT = {
    "mit license": "MIT",
    "the bsd 2-clause license": "BSD-2-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd": "BSD-3-Clause",  # cssselect, whose text has three clauses
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "lgpl": "LGPL-2.1-or-later",  # chardet, whose classifier says v2 or later
    "lgpl with exceptions": "LGPL-3.0-or-later",
    "gnu lesser general public license v3 or later (lgplv3+)": "LGPL-3.0-or-later",
}
#: What may be used here; a name that is not here needs a look.
ACCEPTED = {
    *("MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "PSF-2.0", "PostgreSQL", "MPL-2.0", "0BSD", "Zlib"),
    *("CC0-1.0", "CNRI-Python", "LGPL-3.0-or-later", "LGPL-2.1-or-later", "MPL-1.1"),
}


def direct() -> list[Requirement]:
    """What pyproject.toml asks for."""
    return [
        Requirement(text) for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    ]


def brought() -> dict[str, str]:
    """Each installed package that ours need, directly or not, and by which one it came first."""
    todo = [(requirement, "") for requirement in direct()]
    found: dict[str, str] = {}
    while todo:
        requirement, by = todo.pop(0)
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        found[name] = by
        todo += [(Requirement(text), name) for text in needs]
    return found


def licence(name: str) -> str:
    """What an installed package's authors say, as SPDX writes it."""
    meta = distribution(name).metadata
    texts = [
        text.partition("\n")[0] for field in ("License-Expression", "License") for text in meta.get_all(field) or ()
    ]
    classified = [c.rpartition(" :: ")[2] for c in meta.get_all("Classifier") or () if c.startswith("License ::")]
    first = next((text for text in [*texts, *classified] if text), "unknown")
    return _MEANT.get(first.lower(), first)


def is_accepted(expression: str) -> bool:
    """Whether every licence of an expression is accepted, or one of each choice."""
    return all(
        any(part.strip(" ()") in ACCEPTED for part in choice.split(" OR ")) for choice in re.split(" AND ", expression)
    )


def page() -> str:
    """The page, from what is installed."""
    rows = [f"| {name} | {licence(name)} | {by} |" for name, by in sorted(brought().items())]
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name} written")
