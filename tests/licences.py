"""``python -m tests.licences`` writes docs/licences.md, which lists the licences of all packages in an installation."""

from importlib.metadata import distribution

from tests.distributions import FOLDERS, ROOT, needed

PAGE = ROOT / "docs" / "licences.md"
HEAD = """\
# Licences

After this page you know the licence of each package that an installation includes.

`zeke-jobs` and `zeke-news` are under the MIT licence. `python -m tests.licences` writes the table below, with the packages that `zeke-jobs`, its extra `embedded` and `zeke-news` install.

dramatiq, periodiq and psycopg2 are under the LGPL: `zeke-jobs` uses them unchanged, and users may replace them.
The other extras install packages with permissive licences, and psycopg 3 (LGPL).

| licence | packages |
|---|---|
"""
#: _MEANT maps the licences that authors write to SPDX identifiers.
_MEANT = {
    "mit license": "MIT",
    "the bsd 2-clause license": "BSD-2-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd": "BSD-3-Clause",  # cssselect's licence text has three clauses.
    "apache 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "lgpl": "LGPL-2.1-or-later",  # chardet's classifier says v2 or later.
    "lgpl with exceptions": "LGPL-3.0-or-later",
    "gnu lesser general public license v3 or later (lgplv3+)": "LGPL-3.0-or-later",
}
#: Licences in ACCEPTED are accepted; another licence needs a decision.
ACCEPTED = {
    *("MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "PSF-2.0", "PostgreSQL", "MPL-2.0", "0BSD", "Zlib"),
    *("CC0-1.0", "CNRI-Python", "LGPL-3.0-or-later", "LGPL-2.1-or-later", "MPL-1.1"),
}


def brought() -> set[str]:
    return set(needed("zeke-jobs", "zeke-jobs[embedded]", "zeke-news")) - set(FOLDERS)


def licence(name: str) -> str:
    meta = distribution(name).metadata
    texts = [text for field in ("License-Expression", "License") for text in meta.get_all(field) or ()]
    texts += [c.rpartition(" :: ")[2] for c in meta.get_all("Classifier") or () if c.startswith("License ::")]
    first = next((text.partition("\n")[0] for text in texts if text.partition("\n")[0]), "unknown")
    return _MEANT.get(first.lower(), first)


def is_accepted(expression: str) -> bool:
    """Say whether an SPDX expression is accepted: AND needs every licence to be accepted, and OR needs one."""
    choices = [choice.split(" OR ") for choice in expression.split(" AND ")]
    return all(any(part.strip(" ()") in ACCEPTED for part in choice) for choice in choices)


def page() -> str:
    packages: dict[str, list[str]] = {}
    for name in sorted(brought()):
        packages.setdefault(licence(name), []).append(name)
    return HEAD + "".join(f"| {one} | {', '.join(names)} |\n" for one, names in sorted(packages.items()))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name} written")
