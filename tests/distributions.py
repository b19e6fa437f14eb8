"""This module builds the project's two wheels, finds their dependencies, and makes virtual environments of installed packages."""

import compileall
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
#: Each distribution has the folder of its pyproject.toml.
FOLDERS = {"zeke-jobs": ROOT, "zeke-news": ROOT / "actors"}
PACKAGES = {"zeke-jobs": "zeke_jobs", "zeke-news": "actors"}


def project(name: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((FOLDERS[name] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def build(folder: Path, into: Path, kind: str = "wheel") -> Path:
    """Build the wheel or the ``sdist`` of a folder's pyproject.toml without a download."""
    from hatchling import build as hatchling

    target = str(into.absolute())
    with chdir(folder):
        name: str = getattr(hatchling, f"build_{kind}")(target)
    return into / name


def needed(*wanted: str) -> dict[str, str]:
    """Return each package that the requirements need, with the package that first requires it.

    The result includes the project's packages, and leaves out packages that are not installed.
    """
    todo = [(Requirement(text), "") for text in wanted]
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    while todo:
        requirement, by = todo.pop(0)
        name = canonicalize_name(requirement.name)
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            try:
                asked = [Requirement(line) for line in importlib.metadata.distribution(name).requires or ()]
            except importlib.metadata.PackageNotFoundError:
                continue
            found.setdefault(name, by)
            with_extra = f"{name}[{extra}]" if extra else name
            todo += [(one, with_extra) for one in asked if one.marker is None or one.marker.evaluate({"extra": extra})]
    return found


Files = list[tuple[Path, Path]]  # pairs of a file and its place below site-packages


@cache
def held(name: str) -> Files:
    """Return the files of an installed package, with their compiled files."""
    distribution, found = importlib.metadata.distribution(name), Files()
    for file in distribution.files or ():
        source = Path(str(distribution.locate_file(file)))
        if ".." in file.parts or file.suffix == ".pyc" or not source.exists():
            continue
        found.append((source, Path(file)))
        if file.suffix == ".py" and (compiled := Path(importlib.util.cache_from_source(str(source)))).exists():
            found.append((compiled, Path(file).parent / "__pycache__" / compiled.name))
    return found


def unpacked(wheel: Path) -> Files:
    folder = wheel.with_suffix("")
    return [(path, path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def brought(wheels: dict[str, Path], *wanted: str) -> dict[str, Files]:
    return {name: unpacked(wheels[name]) if name in wheels else held(name) for name in needed(*wanted)}


def install(venv: Path, wheels: dict[str, Path], *wanted: str, copy: Any = os.symlink, python: str = "") -> None:
    """Make a virtual environment with the project's wheels and links to all packages that the requirements need.

    ``copy`` links or copies one file; ``shutil.copy2`` lets other users read the file. ``python`` is the interpreter.
    """
    subprocess.run([python or sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (packages,) = venv.glob("lib/python*/site-packages")
    for name, files in brought(wheels, *wanted).items():
        for source, place in files:
            (packages / place).parent.mkdir(parents=True, exist_ok=True)
            copy(source, packages / place)
        for script in importlib.metadata.distribution(name).entry_points.select(group="console_scripts"):
            text = f"import sys\nfrom {script.module} import {script.attr} as main\n"
            text += "if __name__ == '__main__':\n    sys.exit(main())\n"
            path = venv / "bin" / script.name
            path.write_text(f"#!{venv}/bin/python\n{text}")
            path.chmod(0o755)


def build_both(into: Path) -> dict[str, Path]:
    """Build, unpack and compile the wheels of both distributions, once for all test processes."""
    if not into.exists():
        half = into.with_name(f"{into.name}-{os.getpid()}")
        half.mkdir(parents=True)
        for folder in FOLDERS.values():
            wheel = build(folder, half)
            zipfile.ZipFile(wheel).extractall(wheel.with_suffix(""))
        compileall.compile_dir(half, quiet=1)
        try:
            half.rename(into)
        except OSError:  # Another process has built the wheels first.
            shutil.rmtree(half)
    return {name: next(into.glob(f"{name.replace('-', '_')}-*.whl")) for name in FOLDERS}
