"""``python -m tests.release FOLDER`` builds both distributions twice, compares, checks and installs them."""

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from packaging.metadata import Metadata
from packaging.version import Version

from tests import distributions
from tests.distributions import FOLDERS, PACKAGES, ROOT, project

#: An archive contains these files beside its package.
BESIDE = {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "PKG-INFO", ".gitignore"}
_NEVER = re.compile(r"(^|/)(tests?|__pycache__|\.zeke|\.venv|node_modules)/|\.(pyc|log|env)$")


class Unfit(Exception):
    """The release must not be published, and the text says why."""


def versions() -> str:
    """Return the version of both distributions; raise Unfit if files state different versions."""
    import zeke_jobs

    jobs, news = project("zeke-jobs"), project("zeke-news")
    found = {
        "pyproject.toml": jobs["version"],
        "actors/pyproject.toml": news["version"],
        "zeke_jobs/__init__.py": zeke_jobs.__version__,
        "the extra news": jobs["optional-dependencies"]["news"][0].partition("==")[2],
    }
    if len(set(found.values())) > 1:
        raise Unfit(f"expected one version, got {', '.join(f'{one} in {where}' for where, one in found.items())}")
    return str(Version(jobs["version"]))


def notes(changelog: str, version: str) -> str:
    """Return the changelog section of a version, or the unreleased section for a prerelease."""
    sections = dict(re.findall(r"^## \[(.+?)\][^\n]*\n(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL))
    name = "Unreleased" if Version(version).is_prerelease else version
    found = sections.get(name, "").strip()
    if not found:
        raise Unfit(f"expected a section [{name}] with something in it in CHANGELOG.md, got none")
    return f"{found}\n"


def build(folder: Path, into: Path) -> list[Path]:
    """Build the source archive of a folder, and a wheel from the contents of the archive only."""
    into.mkdir(parents=True, exist_ok=True)
    archive = distributions.build(folder, into, "sdist")
    with tempfile.TemporaryDirectory() as unpacked:
        subprocess.run(["tar", "-xf", archive, "-C", unpacked], check=True)
        [source] = Path(unpacked).iterdir()
        return [archive, distributions.build(source, into)]


def same(one: Path, other: Path) -> None:
    if digest(one) != digest(other):
        raise Unfit(f"expected two builds of {one.name} to be equal, got different ones")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def shipped(name: str) -> list[Path]:
    """Return the files of a package, without build files, which for zeke-news are in the folder of its modules."""
    files = (
        path
        for path in (ROOT / PACKAGES[name]).rglob("*")
        if path.is_file() and not _NEVER.search(str(path.relative_to(ROOT)))
    )
    return [path for path in files if path.parent != FOLDERS[name] or path.name not in BESIDE]


def check(name: str, built: Path) -> None:
    package, version = PACKAGES[name], project(name)["version"]
    stem = f"{name.replace('-', '_')}-{version}"
    if built.suffix == ".whl":
        held = zipfile.ZipFile(built).namelist()
        metadata = zipfile.ZipFile(built).read(f"{stem}.dist-info/METADATA")
        beside = {one for one in held if one.startswith(f"{stem}.dist-info/")}
        if f"{stem}.dist-info/licenses/LICENSE" not in beside:
            raise Unfit(f"expected {built.name} to hold LICENSE, got none")
        above = ROOT
    else:
        with tarfile.open(built) as tar:
            held = [one.name.removeprefix(f"{stem}/") for one in tar.getmembers() if one.isfile()]
            metadata = tar.extractfile(f"{stem}/PKG-INFO").read()  # type: ignore[union-attr]
        beside, above = BESIDE, FOLDERS[name]
    if others := (set(held) - beside) ^ {str(path.relative_to(above)) for path in shipped(name)}:
        raise Unfit(
            f"expected {built.name} to hold the files of {package}, it differs by {', '.join(sorted(others)[:5])}"
        )
    said = Metadata.from_email(metadata, validate=True)
    if str(said.version) != version or said.description_content_type != "text/markdown" or not said.description:
        raise Unfit(f"expected the metadata of {built.name} to have {version} and README.md, got {said.version}")


def smoke(wheels: dict[str, Path], folder: Path) -> None:
    """Install the wheels, and run the commands of a new user's first minute."""
    from tests.acceptance.running import Place, first_minute

    venv = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(venv / "bin" / "python")]
    wanted = [f"{wheels['zeke-jobs']}[embedded,news]", str(wheels["zeke-news"])]
    subprocess.run([*pip, "install", "--quiet", "--constraint", ROOT / "constraints.txt", *wanted], check=True)
    subprocess.run([*pip, "check"], check=True)
    place = Place(venv, folder / "place")
    place.folder.mkdir()
    place.fill()
    try:
        first_minute(place)
    finally:
        place.forget()
    done = subprocess.run([venv / "bin" / "zeke-news", "--help"], check=True, capture_output=True, text=True)
    print(f"installed and tried: zeke-jobs, zeke-news ({len(done.stdout.splitlines())} lines of help)")


def main(folder: Path) -> int:
    try:
        version = versions()
        said = notes((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version)
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory() as scratch:
            wheels = {}
            for name, source in FOLDERS.items():
                first, second = build(source, folder), build(source, Path(scratch) / "again")
                for one, other in zip(first, second, strict=True):
                    same(one, other)
                    check(name, one)
                wheels[name] = Path(shutil.copy2(first[1], scratch))
            smoke(wheels, Path(scratch))
    except Unfit as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    published = sorted(folder.glob("zeke_*"))
    (folder / "SHA256SUMS").write_text("".join(f"{digest(one)}  {one.name}\n" for one in published))
    (folder / "NOTES.md").write_text(said, encoding="utf-8")
    for one in published:
        print(f"{one.stat().st_size / 1e6:6.2f} MB  {one.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "dist")))
