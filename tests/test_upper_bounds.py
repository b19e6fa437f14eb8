"""Each upper bound of a dependency has a reason beside it."""

from importlib.metadata import requires

from packaging.requirements import Requirement

from tests.distributions import FOLDERS, PACKAGES, ROOT, project


def bounded() -> dict[str, str]:
    """The line of each dependency that has an upper bound, by its name; the two distributions bind each other by version."""
    found = {}
    for name, folder in FOLDERS.items():
        lines = (folder / "pyproject.toml").read_text(encoding="utf-8").splitlines()
        one = project(name)
        for text in (
            *one["dependencies"],
            *(line for extra in one["optional-dependencies"].values() for line in extra),
        ):
            asked = Requirement(text)
            if asked.name not in PACKAGES and any(part.operator in ("<", "<=", "==", "~=") for part in asked.specifier):
                [found[asked.name]] = [line for line in lines if f'"{text}"' in line]
    return found


def test_an_upper_bound_has_a_reason_beside_it() -> None:
    lines = bounded()
    assert lines
    assert [line for line in lines.values() if " # " not in line] == []


def test_the_line_that_keeps_dramatiq_1_is_the_one_that_the_page_names() -> None:
    [asked] = [line for line in requires("dramatiq-pg") or () if Requirement(line).name == "dramatiq"]
    assert f"`{asked}`" in (ROOT / "docs" / "from-dramatiq.md").read_text(encoding="utf-8")
