"""``nox -s audit`` evaluates a report of pip-audit."""

from typing import Any

from tests.advisories import verdict


def report(**packages: list[str] | None) -> dict[str, Any]:
    """Make a report of pip-audit with the vulnerabilities of each package, or None for an unknown package."""
    return {
        "dependencies": [
            {"name": name, "skip_reason": f"not found: {name}"}
            if found is None
            else {"name": name, "version": "1.0", "vulns": [{"id": one, "fix_versions": ["1.1"]} for one in found]}
            for name, found in packages.items()
        ]
    }


def test_a_known_vulnerability_fails_and_what_the_service_does_not_know_is_named() -> None:
    status, lines = verdict(report(fine=[], broken=["CVE-1"]))
    assert status == 1
    assert lines == ["broken 1.0: CVE-1, mended in 1.1", "2 packages audited, 1 known vulnerabilities"]
    fine = ["1 packages audited, no known vulnerabilities", "not audited, since the service does not know them: own"]
    assert verdict(report(fine=[], own=None)) == (0, fine)


def test_where_advisories_cannot_be_reached_that_is_said_and_nothing_is_claimed() -> None:
    for lines in (verdict(report(one=None, two=None))[1], verdict(None, "Traceback\nConnectionError: no route")[1]):
        assert len(lines) == 1
        assert lines[0].startswith("nothing was audited: advisories cannot be reached from here")
    assert "no route" in verdict(None, "Traceback\nConnectionError: no route")[1][0]
