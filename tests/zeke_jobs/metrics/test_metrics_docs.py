"""docs/metrics.md lists exactly the existing metrics; ``UPDATE_GOLDEN=1`` rewrites its table."""

import os
import re
from pathlib import Path

from tests.zeke_jobs.metrics.exported import ALL

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_table_is_what_there_is_and_the_page_names_no_other_metric() -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = "| metric | kind | labels | means |\n|---|---|---|---|\n"
    for family in ALL:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        table += f"| `{family.name}` | {family.kind} | {labels} | {family.help} |\n"
    block = re.compile(r"(<!-- metrics: begin -->\n).*?(<!-- metrics: end -->)", re.DOTALL)
    wanted = block.sub(lambda found: found[1] + table + found[2], page)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(wanted, encoding="utf-8")
    else:
        assert page == wanted, "run: UPDATE_GOLDEN=1 pytest tests/zeke_jobs/metrics/test_metrics_docs.py"
    named = set(re.findall(r"\b(?:zeke_jobs|dramatiq)_[a-z_]+", page))
    assert named - {family.name for family in ALL} <= {"zeke_jobs_reader"}
