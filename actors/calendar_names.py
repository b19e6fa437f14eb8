"""Reads the names of months and weekdays from ``calendar.txt``, which explains its tables."""

from importlib.resources import files

_TABLES: dict[str, dict[str, str]] = {"start": {}, "month": {}, "weekday": {}}
for _line in (files("actors") / "calendar.txt").read_text(encoding="utf-8").splitlines():
    if _line and not _line.startswith("#"):
        _table, _key, _names = _line.split(" ", 2)
        _TABLES[_table][_key] = _names
MONTH_STARTS = tuple(_TABLES["start"].values())
MONTHS, WEEKDAYS = _TABLES["month"], _TABLES["weekday"]
CALENDAR = frozenset(" ".join([*MONTHS.values(), *WEEKDAYS.values()]).replace("|", " ").split())
"""All full names of months and days of the week."""
