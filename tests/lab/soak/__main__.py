"""``nox -s soak`` reads two hundred feeds with occasional faults, prints the results, and fails if a check fails.

Real workers process the feeds, and pages that are submitted one by one. The workers are killed now and then.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml
from psycopg2.extensions import connection as Connection

import zeke_jobs
from actors.store import sources
from tests.fleet import ROOT, Fleet, fleet, query
from tests.lab import server
from tests.lab.soak.checks import complaints
from tests.lab.soak.news import News
from tests.lab.soak.servers import EMBEDDING, MODEL, PRICES, Model, Sites, engine
from zeke_jobs import config
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.revisions.applying import sync

_COUNTS = """SELECT
    (SELECT count(*) FROM item_outcomes WHERE outcome NOT IN ('queued', 'retrying')),
    (SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')),
    (SELECT count(*) FROM zeke_jobs.queue WHERE state = 'done')"""
_CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'zeke-jobs%%' AND pid <> pg_backend_pid()
    ORDER BY random() LIMIT 1"""


@dataclass(frozen=True)
class Plan:
    # The soak adds ``sources`` feeds, each on its own host, and submits as many single pages.
    sources: int = 200
    items: int = 20  # Each feed has ``items`` items.
    seed: int = 1
    # A ``share`` of all answers are errors; after every 1 / ``share`` jobs, a connection is cut.
    share: float = 0.01
    kills: int = 2  # All workers are killed ``kills`` times.
    processes: int = 2
    threads: int = 8
    seconds: float = 1800.0  # The soak may take ``seconds`` seconds.


@dataclass(frozen=True)
class Found:
    complaints: list[str]
    news: News
    kills: int
    faults: int
    figures: dict[str, str]


def soak(url: str, folder: Path, plan: Plan, server_cpu: Callable[[], float] = lambda: 0.0) -> Found:
    """Run a soak on the database at ``url``, which is migrated and has no jobs.yaml; ``DATABASE_URL`` must name it too."""
    spent, here = server_cpu(), time.process_time()
    with (
        closing(connect(url)) as conn,
        Sites(plan.share, plan.sources, plan.items, plan.seed) as sites,
        Model(plan.share, plan.seed) as model,
        engine(plan.share, plan.seed) as engine_url,
        fleet(folder, url) as workers,
    ):
        news = sites.news
        (folder / "jobs.yaml").write_text(_jobs_yaml(engine_url, model.url, plan))
        sync(conn, config.load(folder / "jobs.yaml"))
        began = time.monotonic()
        workers.workers(processes=plan.processes, threads=plan.threads)
        kills, cuts = _drive(conn, news, workers, plan)
        wall, worker_cpu = time.monotonic() - began, workers.cpu()
        workers.stop()
        outcomes = Counter(dict(query(conn, "SELECT outcome, count(*) FROM item_outcomes GROUP BY 1")))
        costs = {"workers": worker_cpu, "Postgres": server_cpu() - spent}
        costs["sites, model, and the Engine without its readers"] = time.process_time() - here
        figures = {
            "items that ended": f"{outcomes.total()}: {', '.join(f'{name} {n}' for name, n in outcomes.most_common())}",
            "stories": str(query(conn, "SELECT count(*) FROM stories")[0][0]),
            "jobs completed": f"{query(conn, _COUNTS)[0][2]} in {wall:.0f} s, load {os.getloadavg()[0]:.1f} at the end",
            "all workers killed": f"{kills} times",
            "connections cut": str(cuts),
            "faulty answers": f"sites {sites.faults}, model {model.faults}",
            **{f"CPU of {one}": f"{s:.1f} s, {s / outcomes.total() * 1e3:.1f} ms an item" for one, s in costs.items()},
        }
        said = complaints(conn, news, model.asked) + [f"the model refused the schema {name}" for name in model.wrong]
        return Found(said, news, kills, sites.faults + model.faults, figures)


def _jobs_yaml(engine_url: str, model_url: str, plan: Plan) -> str:
    """Return the shipped jobs.yaml with this Engine and model; new feeds bring all items, and retries start within 1 s."""
    text: dict[str, Any] = yaml.safe_load((ROOT / "jobs.yaml").read_text())
    text["services"]["engine"] |= {"kind": "http", "url": engine_url}
    openai = {"base_url": f"{model_url}/v1", "model": MODEL, "embedding_model": EMBEDDING, "prices": PRICES}
    text["services"]["ai"] |= {"provider": "openai", "openai": openai}
    text["limits"]["ai"]["budget"] = "1000 USD/d"
    tasks = text["tasks"]
    first = {"first_fetch": {"items": plan.items, "within": "7d"}, "rhythm": {"first_backoff": "1s"}}
    tasks["ingest-source"]["settings"] |= first
    tasks["fetch-content"]["settings"] |= {"first_wait": "1s", "attempts": 8}
    for name in ("ingest-source", "fetch-content", "analyze-story", "generate-brief", "story-summarize"):
        tasks[name]["retry"] |= {"delay": "500ms", "limit": 8}
    return yaml.safe_dump(text, sort_keys=False)


def _drive(conn: Connection, news: News, workers: Fleet, plan: Plan) -> tuple[int, int]:
    """Add feeds and pages; kill workers, cut connections and send ingest-pull until all have ended. Return kills and cuts."""
    with transaction(conn):
        for feed in news.feeds:
            sources.add(conn, "rss", feed)
        zeke_jobs.send_many("ingest-oneoff", [{"url": item.url} for item in news.oneoffs], connection=conn)
    chance = random.Random(plan.seed)
    kills, cuts, pulled, said = 0, 0, 0.0, time.monotonic()
    end = time.monotonic() + plan.seconds
    while (now := time.monotonic()) < end:
        workers.check()
        ended, left, done = query(conn, _COUNTS)[0]
        if ended >= len(news.items) and not left:
            return kills, cuts
        if kills < plan.kills and ended > len(news.items) * (kills + 1) / (plan.kills + 1):
            workers.commands[-1].kill()
            workers.workers(processes=plan.processes, threads=plan.threads)
            kills += 1
            server.say(f"killed all workers after {ended} items and {done} jobs")
        if done * plan.share > cuts + 1:
            query(conn, _CUT)
            cuts += 1
        if now - pulled > 2:
            zeke_jobs.send("ingest-pull", {}, connection=conn)
            pulled = now
        if now - said > 15:
            cpu = f"{workers.cpu():.0f} s of CPU"
            server.say(f"{ended} of {len(news.items)} items ended, {done} jobs done, {left} left, {cpu}")
            said = now
        time.sleep(chance.uniform(0.2, 0.5))  # The server's time for these counts is part of the figures.
    server.say(f"not done in {plan.seconds:g} s")
    return kills, cuts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a soak on a new server. Return 1 if a check fails, else 0, whatever the measured figures are."""
    chosen = vars(server.command("soak", __doc__, arguments, **asdict(Plan())))
    bin_dir, plan = chosen.pop("server"), Plan(**chosen)
    with server.start(bin_dir) as started:
        os.environ["DATABASE_URL"] = url = started.create("soak")
        with closing(connect(url)) as conn:
            migrate.migrate(conn, ["actors.store"])
        found = soak(url, started.files, plan, started.cpu)
    figures = {**found.figures, "wrong": "; ".join(found.complaints) or "nothing"}
    print(f"{plan.sources} feeds of {plan.items} items, seed {plan.seed}; {started.about}\n")
    print(server.table(("what", "figure"), list(figures.items())))
    return 1 if found.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
