from tests import licences


def listed() -> dict[str, str]:
    rows = [line.strip("| ").split(" | ") for line in licences.PAGE.read_text(encoding="utf-8").splitlines()]
    return {package: row[0] for row in rows if len(row) == 2 for package in row[1].split(", ")}


def test_every_installed_package_is_listed_with_a_licence_that_is_accepted() -> None:
    brought = {package: licences.licence(package) for package in licences.brought()}
    assert brought.items() <= listed().items(), "run: python -m tests.licences"
    assert [package for package, licence in brought.items() if not licences.is_accepted(licence)] == []


def test_an_expression_needs_all_its_parts_and_one_of_each_choice() -> None:
    assert licences.is_accepted("MIT AND (GPL-3.0-only OR Apache-2.0)")
    assert not licences.is_accepted("MIT AND AGPL-3.0-only")
    assert not licences.is_accepted("unknown")
