"""The configuration that a valid jobs.yaml describes."""

import time
from datetime import timedelta
from hashlib import sha256

import pytest

from zeke_jobs import config
from zeke_jobs.config import Config, Rate, Schedule
from zeke_jobs.config.limits import Concurrency
from zeke_jobs.config.models import Keep, Retry, Unique

SMALL = "version: 1\ntasks:\n  greet:\n    handler: sample_handlers:greet\n"


def loaded(stanza: str = "", head: str = "") -> Config:
    """A file with one task, which has the lines of ``stanza``."""
    lines = "".join(f"    {line}\n" for line in stanza.splitlines())
    return config.load_text(
        f"version: 1\n{head}tasks:\n  greet:\n    handler: sample_handlers:greet\n{lines}", "jobs.yaml"
    )


def test_a_task_that_says_nothing_has_the_defaults() -> None:
    task = loaded().tasks["greet"]
    assert (task.id, task.handler, task.queue, task.priority) == ("greet", "sample_handlers:greet", "default", 0)
    assert task.timeout == timedelta(minutes=5)
    assert task.retry == Retry(
        limit=3, delay=timedelta(seconds=1), factor=2, max_delay=timedelta(minutes=10), jitter=0.1
    )
    assert task.keep == Keep(completed=timedelta(days=7), failed=timedelta(days=30), cancelled=timedelta(days=7))
    assert task.concurrency == Concurrency(limit=None, per_key=None)
    assert [task.cron, task.rate, task.unique, task.max_queued, task.max_wait] == [None] * 5
    assert not task.paused


def test_the_files_defaults_come_before_ours_and_merge_key_by_key() -> None:
    task = loaded(
        "retry: {delay: 5s}\nkeep: {completed: 1h}",
        "defaults: {queue: slow, priority: 3, timeout: 1m, max_queued: 9, max_wait: 2m,"
        " retry: {limit: 7, max_delay: 1h}, keep: {failed: 90d}}\n",
    ).tasks["greet"]
    assert (task.queue, task.priority, task.max_queued) == ("slow", 3, 9)
    assert (task.timeout, task.max_wait) == (timedelta(minutes=1), timedelta(minutes=2))
    assert task.retry == Retry(limit=7, delay=timedelta(seconds=5), factor=2, max_delay=timedelta(hours=1), jitter=0.1)
    assert task.keep == Keep(completed=timedelta(hours=1), failed=timedelta(days=90), cancelled=timedelta(days=7))


def test_a_task_comes_before_the_files_defaults() -> None:
    task = loaded("queue: fast\ntimeout: 2s\npriority: 0", "defaults: {queue: slow, timeout: 1m, priority: 3}\n")
    assert (task.tasks["greet"].queue, task.tasks["greet"].priority) == ("fast", 0)
    assert task.tasks["greet"].timeout == timedelta(seconds=2)
    assert task.queues == ("fast",)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("5", Concurrency(limit=5, per_key=None)),
        ("{limit: 20, per_key: 1}", Concurrency(limit=20, per_key=1)),
        ("{per_key: 2}", Concurrency(limit=None, per_key=2)),
    ],
)
def test_concurrency_is_a_number_or_a_mapping(written: str, meant: Concurrency) -> None:
    assert loaded(f"concurrency: {written}").tasks["greet"].concurrency == meant


@pytest.mark.parametrize(
    ("written", "count", "period"), [("10/s", 10, 1), ("60/m", 60, 60), ("7/h", 7, 3600), ("1000/d", 1000, 86400)]
)
def test_a_rate_is_a_count_in_a_time(written: str, count: int, period: int) -> None:
    rate = loaded(f"rate: {written}").tasks["greet"].rate
    assert rate is not None
    assert (rate.limit, rate.beside + 1) == (Rate(count=count, period=timedelta(seconds=period)), 1)
    assert str(rate) == written


@pytest.mark.parametrize("written", ["{limit: 20/m, burst: 10}", "{limit: 1/s, burst: 1}", "{limit: 3/d, burst: 1}"])
def test_a_burst_of_half_of_the_rate_is_accepted(written: str) -> None:
    assert loaded(f"rate: {written}").tasks["greet"].rate is not None


def test_a_limit_counts_units_by_their_own_names() -> None:
    limit = loaded(
        "uses: [ai]\nunits: {tokens: 5, pages: 1}",
        "limits: {ai: {tokens: {rate: 90/m, burst: 45}, pages: {rate: 10/s}}}\n",
    ).limits["ai"]
    assert {unit: (str(one.rate), one.beside) for unit, one in limit.units.items()} == {
        "tokens": ("90/m", 45),
        "pages": ("10/s", 0),
    }


def test_a_cron_line_alone_takes_the_files_zone() -> None:
    text = "version: 1\ntimezone: Europe/Paris\ntasks: {tick: {handler: 'sample_handlers:tick', cron: '@daily'}}\n"
    assert config.load_text(text, "jobs.yaml").tasks["tick"].cron == Schedule(at="@daily", timezone="Europe/Paris")


def test_a_cron_mapping_says_everything() -> None:
    schedule = loaded(
        "cron: {at: '0 9 * * mon', timezone: Asia/Kathmandu, missed: all, window: 2h, overlap: allow,"
        " jitter: 30s, payload: {userName: Ada}, paused: true}"
    )
    assert schedule.tasks["greet"].cron == Schedule(
        at="0 9 * * mon",
        timezone="Asia/Kathmandu",
        missed="all",
        window=timedelta(hours=2),
        overlap="allow",
        jitter=timedelta(seconds=30),
        payload={"userName": "Ada"},
        paused=True,
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("[user_name]", Unique(fields=("user_name",))),
        ("{fields: [user_name], while: active}", Unique.model_validate({"fields": ["user_name"], "while": "active"})),
        ("{while: period, period: 1h}", Unique.model_validate({"while": "period", "period": "1h"})),
    ],
)
def test_unique_is_a_list_or_a_mapping(written: str, meant: Unique) -> None:
    assert loaded(f"unique: {written}").tasks["greet"].unique == meant


def test_the_rest_of_a_task_is_as_written() -> None:
    task = loaded(
        "description: Say hello\naliases: [hello, say.hello]\nuses: [ai]\nmax_queued: 100\nsensitive: [user_name]\n"
        "max_wait: 2m\npaused: true\npriority: -100",
        "limits: {ai: {description: Slots, concurrency: 8, rate: 60/m, paused: true}}\nmigrations: [actors.store]\n",
    )
    greet = task.tasks["greet"]
    assert (greet.description, greet.aliases, greet.uses) == ("Say hello", ("hello", "say.hello"), ("ai",))
    assert (greet.max_queued, greet.sensitive, greet.paused, greet.priority) == (100, ("user_name",), True, -100)
    limit = task.limits["ai"]
    assert (limit.name, limit.description, limit.concurrency, str(limit.rate)) == ("ai", "Slots", 8, "60/m")
    assert limit.paused
    assert task.migrations == ("actors.store",)


def test_a_task_is_found_by_id_and_alias() -> None:
    found = loaded("aliases: [hello]")
    assert found.task("hello") is found.task("greet") is found.tasks["greet"]
    assert found.task("nobody") is None


def test_plain_scalars_mean_what_people_mean() -> None:
    settings = "settings: {words: [a, 2026-01-31, 1e3x, 0.5.1, 'no', \"12:30\"], weights: {a: 1e3, b: .5, c: 0x10}}"
    text = SMALL.replace("greet", "tuned") + f"    {settings}\n"
    assert config.load_text(text, "jobs.yaml").tasks["tuned"].settings == {
        "words": ["a", "2026-01-31", "1e3x", "0.5.1", "no", "12:30"],
        "weights": {"a": 1000.0, "b": 0.5, "c": 16},
    }


def test_the_digest_is_of_the_text_as_it_stands() -> None:
    found = config.load_text(SMALL, "jobs.yaml")
    assert found.text == SMALL
    assert found.digest == sha256(SMALL.encode()).hexdigest()
    assert config.load_text(SMALL + "# a comment\n", "jobs.yaml").digest != found.digest


def test_without_handlers_no_code_is_imported() -> None:
    text = "version: 1\ntasks: {greet: {handler: 'exits_on_import:greet', settings: {a: '${SAMPLE_NOT_SET}'}}}\n"
    assert config.load_text(text, "jobs.yaml", handlers=False).tasks["greet"].settings == {"a": "${SAMPLE_NOT_SET}"}


def test_the_time_of_a_check_grows_with_the_number_of_tasks_and_not_with_its_square() -> None:
    def seconds(count: int) -> float:
        stanza = "handler: sample_handlers:tick, on_failed: told, aliases"
        tasks = "".join(f"  t-{number}: {{{stanza}: [a-{number}]}}\n" for number in range(count))
        text = f"version: 1\ntasks:\n{tasks}  last: {{handler: sample_handlers:told, aliases: [told]}}\n"
        begin = time.process_time()
        assert config.check(text, "jobs.yaml")[1] == []
        return time.process_time() - begin

    seconds(10)
    assert seconds(600) < 6 * 2.5 * seconds(100)
