import os
import signal
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest

from tests.fleet import ROOT
from tests.lab.soak import site
from tests.lab.soak.checks import complaints
from tests.lab.soak.news import STORY, News
from tests.lab.soak.run import Plan, soak
from zeke_jobs.postgres.pool import connect


def test_the_same_seed_publishes_the_same_news_whose_texts_all_differ() -> None:
    one, other = (News(site.hosts(1, 8), 10, 7) for _ in range(2))
    assert one.items == other.items
    assert one.uploads == other.uploads
    assert len({one.plain(number) for number in one.texts}) == len(one.texts)
    assert {item.end for item in one.items.values()} > {STORY, "no_url"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["engine", "model", "site"])
def test_what_is_interrupted_leaves_no_server_behind(module: str, number: signal.Signals) -> None:
    arguments = {"engine": (1, 0.0), "model": (1, 0.0), "site": (2, 1, 1, 0.0)}[module]
    code = f"""
import signal, sys, time
from tests.fleet import free_port
from tests.lab.soak.world import server
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
with server("tests.lab.soak.{module}", free_port(), *{arguments}) as started:
    print(started.process.pid, flush=True)
    time.sleep(60)
"""
    soaking = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert soaking.stdout is not None
    server = int(soaking.stdout.readline())
    os.killpg(soaking.pid, number)  # as Ctrl-C does
    try:
        soaking.wait(20)
        assert not psutil.pid_exists(server)
    finally:
        for pid in (server, soaking.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        soaking.stdout.close()


@pytest.mark.acceptance
@pytest.mark.timeout(240)
def test_whatever_fails_every_item_ends_as_planned_and_every_text_is_one_story(database: str, tmp_path: Path) -> None:
    plan = Plan(sources=6, items=5, share=0.02, kills=1, seconds=150)
    found = soak(database, tmp_path, plan)
    assert found.complaints == []
    assert (found.kills, sum(found.outcomes.values())) == (1, len(News(site.hosts(1, 6), 5, 1).items))
    assert sum(found.faults.values()) > 0
    with closing(connect(database)) as conn:
        news = News(site.hosts(1, 6), 5, 1)
        with conn.cursor() as cursor:
            cursor.execute("UPDATE item_outcomes SET outcome = 'retrying' WHERE outcome = 'stored'")
        said = complaints(conn, news, {"asked": 0, "wrong": []})
    assert any("items ended otherwise" in each for each in said)
