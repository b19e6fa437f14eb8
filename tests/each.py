"""``each`` runs a test for many cases on one database, if the cases leave the database unchanged."""

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import pytest

Test = Callable[..., None]


def cases(names: str, *rows: Any, ids: Any = None) -> pytest.MarkDecorator:
    """Make a test for each row, as ``pytest.mark.parametrize`` does; the names are separated by spaces."""
    return pytest.mark.parametrize(names.split() if " " in names else names, rows, ids=ids)


def each(names: str | tuple[str, ...], *rows: Any) -> Callable[[Test], Test]:
    """Run one test for all rows, or for all items of one list; a failure names its row."""
    found = list(rows[0]) if len(rows) == 1 and not isinstance(rows[0], str | tuple) else list(rows)
    names = tuple(names.split()) if isinstance(names, str) else names
    assert found, f"no case of {names}"

    def decorate(test: Test) -> Test:
        def run(**fixtures: Any) -> None:
            for row in found:
                values = dict(zip(names, row if len(names) > 1 else [row], strict=True))
                try:
                    test(**fixtures, **values)
                except BaseException as error:
                    error.add_note(f"in the case {values!r:.300}")
                    raise

        update_wrapper(run, test)  # The attributes include the test's marks.
        del run.__wrapped__  # type: ignore[attr-defined]
        signature = inspect.signature(test)
        fixtures = [one for name, one in signature.parameters.items() if name not in names]
        run.__signature__ = signature.replace(parameters=fixtures)  # type: ignore[attr-defined] # pytest asks for it
        return run

    return decorate
