"""docs/looking.md describes every reason, finding and view."""

import inspect
import re
from pathlib import Path

from tests.zeke_jobs.diagnosis.conftest import Scene
from zeke_jobs.diagnosis import ends, reasons, why
from zeke_jobs.diagnosis.doctor import CHECKS

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "looking.md").read_text(encoding="utf-8")
KINDS = sorted(
    kind
    for module in (why, reasons, ends)
    for kind in re.findall(r'\bReason\(\s*"([a-z-]+)"', inspect.getsource(module))
)


def test_every_kind_of_reason_and_every_finding_is_explained() -> None:
    assert len(KINDS) == len(set(KINDS)) >= 40
    assert [kind for kind in KINDS if not re.search(rf"^\| .*`{kind}`", PAGE, re.MULTILINE)] == []
    explained = set(re.findall(r"^\| `([a-z-]+)` \| (?:critical|warning|notice)", PAGE, re.MULTILINE))
    assert {"unreachable", "wrong-address", "not-migrated", *(check.name for check in CHECKS)} - explained == set()


def test_the_views_that_are_named_can_be_read(scene: Scene) -> None:
    named = set(re.findall(r"`(zeke_jobs\.\w+)`", PAGE.partition("## Views")[2]))
    assert len(named) >= 5
    for view in named:
        assert scene.rows(f"SELECT count(*) FROM {view}")
