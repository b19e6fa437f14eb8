"""``nox -s audit`` looks for known vulnerabilities of the packages in constraints.txt, if pip-audit is installed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"


def verdict(report: dict[str, Any] | None, said: str = "") -> tuple[int, list[str]]:
    """Return the exit status and the lines to print; ``said`` is the output of a pip-audit that wrote no report."""
    packages = report["dependencies"] if report else []
    known = [package for package in packages if "skip_reason" not in package]
    if not known:
        why = next((package["skip_reason"] for package in packages), said.strip().rpartition("\n")[2])
        return 0, [f"nothing was audited: advisories cannot be reached from here ({why})"]
    lines = [
        f"{package['name']} {package['version']}: {fault['id']}, mended in {', '.join(fault['fix_versions']) or 'no version'}"
        for package in known
        for fault in package["vulns"]
    ]
    status = 1 if lines else 0
    lines.append(f"{len(known)} packages audited, {len(lines) or 'no'} known vulnerabilities")
    if missing := [package["name"] for package in packages if package not in known]:
        lines.append(f"not audited, since the service does not know them: {', '.join(missing)}")
    return status, lines


def main() -> int:
    command = ["pip-audit", "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip", "--format", "json"]
    done = subprocess.run([*command, "--progress-spinner", "off"], capture_output=True, text=True, check=False)
    status, lines = verdict(json.loads(done.stdout) if done.stdout.startswith("{") else None, done.stderr)
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
