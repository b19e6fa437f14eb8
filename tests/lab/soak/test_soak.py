import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.fleet import ROOT, query
from tests.lab.soak.checks import complaints
from tests.lab.soak.news import STORY, News
from tests.lab.soak.run import Plan, soak
from zeke_jobs.postgres.pool import connect


def test_the_same_seed_publishes_the_same_news_whose_texts_all_differ() -> None:
    one, other = (News([f"http://127.1.0.{n}" for n in range(8)], 10, 7) for _ in range(2))
    assert one.items == other.items
    assert one.uploads == other.uploads
    assert len({one.plain(number) for number in one.texts}) == len(one.texts)
    assert {item.end for item in one.items.values()} > {STORY, "no_url"}


INTERRUPTED = """
import sys, time
from pathlib import Path
from tests.fleet import fleet, free_port
from tests.lab.server import end_with_us
from tests.lab.soak.run import engine
end_with_us()
with fleet(Path(sys.argv[1]), "") as beside:
    print(engine(beside, free_port(), 1, 0.0).pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_interrupted_leaves_no_server_behind(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as soaking:
        assert soaking.stdout is not None
        server = int(soaking.stdout.readline())
        os.killpg(soaking.pid, number)  # Ctrl-C sends the signal to the whole process group.
        soaking.wait(20)
    left = psutil.pid_exists(server)
    if left:
        os.kill(server, signal.SIGKILL)
    assert not left


@pytest.mark.acceptance
@pytest.mark.timeout(240)
def test_whatever_fails_every_item_ends_as_planned_and_every_text_is_one_story(database: str, tmp_path: Path) -> None:
    plan = Plan(sources=6, items=5, share=0.02, kills=1, seconds=150)
    found = soak(database, tmp_path, plan)
    assert found.complaints == []
    assert found.kills == 1
    assert found.faults > 0
    with closing(connect(database)) as conn:
        query(conn, "UPDATE item_outcomes SET outcome = 'retrying' WHERE outcome = 'stored'")
        said = complaints(conn, found.news, 0)
    assert any("items ended otherwise" in each for each in said)
