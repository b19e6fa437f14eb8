"""docs/metrics.md lists exactly the existing metrics; ``UPDATE_GOLDEN=1`` rewrites its table."""

import os
import re
from pathlib import Path

from tests.zeke_jobs.metrics.exported import ALL

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def metrics_table() -> str:
    lines = ["| metric | kind | labels | means |", "|---|---|---|---|"]
    for family in ALL:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        lines.append(f"| `{family.name}` | {family.kind} | {labels} | {family.help} |")
    return "\n".join(lines)


def test_the_table_is_what_there_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    block = re.compile(r"(<!-- metrics: begin -->\n).*?(<!-- metrics: end -->)", re.DOTALL)
    wanted = block.sub(lambda found: f"{found[1]}{metrics_table()}\n{found[2]}", page)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(wanted, encoding="utf-8")
    else:
        assert page == wanted, "run: UPDATE_GOLDEN=1 pytest tests/zeke_jobs/metrics/test_metrics_docs.py"


def test_the_page_names_no_metric_that_does_not_exist() -> None:
    named = set(re.findall(r"\b(?:zeke_jobs|dramatiq)_[a-z_]+", PAGE.read_text(encoding="utf-8")))
    assert named - {family.name for family in ALL} <= {"zeke_jobs_reader"}
