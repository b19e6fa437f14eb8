"""``each`` runs a test for many cases on one database, if the cases leave the database unchanged."""

import inspect
from collections.abc import Callable, Iterable
from functools import update_wrapper
from typing import Any

Test = Callable[..., None]


def each(names: str | tuple[str, ...], cases: Iterable[Any]) -> Callable[[Test], Test]:
    """Run one test for all cases, as ``pytest.mark.parametrize`` would; a failure names its case."""
    cases = list(cases)
    assert cases, f"no case of {names}"

    def decorate(test: Test) -> Test:
        def run(**fixtures: Any) -> None:
            for case in cases:
                values = {names: case} if isinstance(names, str) else dict(zip(names, case, strict=True))
                try:
                    test(**fixtures, **values)
                except BaseException as error:
                    error.add_note(f"in the case {values!r:.300}")
                    raise

        update_wrapper(run, test)  # The attributes include the test's marks.
        del run.__wrapped__  # type: ignore[attr-defined]
        signature = inspect.signature(test)
        said = {names} if isinstance(names, str) else set(names)
        fixtures = [one for name, one in signature.parameters.items() if name not in said]
        run.__signature__ = signature.replace(parameters=fixtures)  # type: ignore[attr-defined] # pytest asks for it
        return run

    return decorate
