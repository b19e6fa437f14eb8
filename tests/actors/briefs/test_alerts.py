"""Alerts: each new story that fits is sent once, at once, and nothing is lost while a receiver is away."""

import base64
import hashlib
import hmac
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg2.extensions import connection as Connection
from pydantic import ValidationError

import zeke_jobs
from actors.briefs.alert import deliver_alert
from actors.briefs.delivery.settings import AlertSettings, Quiet, Receiver, _quiet
from actors.cli.app import run as news_app
from actors.schema import DeliverAlert
from actors.store.statements import SQL
from tests.actors.database import execute
from tests.actors.mail_server import MailServer
from tests.actors.scripted_site import Answer, Site
from zeke_jobs import config
from zeke_jobs.postgres.pool import connect
from zeke_jobs.revisions import boot
from zeke_jobs.testing import FakeContext, JobRunner
from zeke_jobs.testing.clock import release_clock, set_clock

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 27, 20, tzinfo=UTC)
TEXT = (
    "The {0} team put a retry budget before its Postgres queue, because latency of {0} had doubled to {1} milliseconds. "
    "It fell by {1} percent after the release of {0}, said the engineers of {0} on Monday."
)
WORDS = ("walnut", "granite", "lantern", "harbour", "meadow", "copper", "saffron", "thistle", "velvet", "juniper")


class Alerts:
    """The tasks of the shipped jobs.yaml, run in this thread, with receivers on loopback."""

    def __init__(self, conn: Connection, database: str, add_story: Any, receivers: dict[str, Any]) -> None:
        self.conn, self._database, self._add = conn, database, add_story
        self._runners: list[JobRunner] = []
        self._receivers = receivers
        self.put(receivers)

    def put(self, receivers: dict[str, Any], name: str = "deliver-alert") -> None:
        """Put the shipped jobs.yaml in force, with these receivers and with the task deliver-alert renamed."""
        text = (ROOT / "jobs.yaml").read_text().replace("deliver-alert:", f"{name}:")
        said = f"    settings: {json.dumps({'receivers': receivers})}\n"
        chosen = config.load_text(
            text.replace("    # settings:\n    #   receivers:", f"{said}    # receivers:", 1), "jobs.yaml"
        )
        boot.sync(self.conn, chosen)
        self.run = JobRunner(chosen, self._database)
        self._runners.append(self.run)

    def change(self, receiver: str, settings: dict[str, Any]) -> None:
        """Put other settings of a receiver in force."""
        self.put({**self._receivers, receiver: {**self._receivers.get(receiver, {}), **settings}})

    def deliver(self, **context: Any) -> dict[str, Any]:
        """Run deliver-alert for the team by itself."""
        settings = AlertSettings.model_validate({"receivers": {"team": self._receivers["team"]}})
        ctx = FakeContext(context.pop("conn", self.conn), settings=settings, **context)
        return deliver_alert(DeliverAlert(receiver="team"), ctx)

    def story(self, word: str = "walnut", *, analysed: bool = True, **known: Any) -> str:
        """A story, analysed by the real task; what its alerts send has been sent."""
        made = str(self._add(TEXT.format(word, len(word) * 7), title=f"Release of {word}", **known))
        self.rows("UPDATE stories SET created_at = zeke_jobs.now() WHERE id = %s", made)
        if analysed:
            self.analyse(made)
        return made

    def analyse(self, story: str, trigger: str = "auto", **options: Any) -> list[zeke_jobs.Job]:
        zeke_jobs.send("analyze-story", {"story_id": story, "trigger": trigger})
        return [job for job in self.run(**options) if job.task_id == "deliver-alert"]

    def move(self, by: timedelta) -> None:
        (now,) = self.rows("SELECT zeke_jobs.now()")[0]
        set_clock(self.conn, now + by)

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return execute(self.conn, sql, *params)

    def close(self) -> None:
        for runner in self._runners:
            runner.close()


@pytest.fixture
def receivers(mail_server: MailServer, site: Site, tmp_path: Path) -> dict[str, Any]:
    site.pages |= {"/hook": Answer(status=204), "/": Answer(status=200)}
    loopback = {"allow_networks": ["127.0.0.0/8"]}
    mail = {
        "host": "127.0.0.1",
        "port": mail_server.port,
        "security": "none",
        "from": "news@a.example",
        "to": ["ada@b.example"],
    }
    return {
        "me": {"mail": mail},
        "team": {"webhook": {"url": f"{site.url}/hook", "secret": "s", "timeout": "1s", **loopback}},
        "phone": {"ntfy": {"url": f"{site.url}/my-news", "token": "t", **loopback}},
        "script": {"command": ["/bin/sh", "-c", f"cat >> {tmp_path}/said"]},
        "files": {"folder": str(tmp_path / "alerts")},
    }


@pytest.fixture
def alerts(
    conn: Connection, database: str, add_story: Any, receivers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Alerts]:
    set_clock(conn, NOW)
    made = Alerts(conn, database, add_story, receivers)
    yield made
    made.close()


@pytest.fixture
def news(alerts: Alerts, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs zeke-news, which succeeds; gives its output."""

    def call(*arguments: str, status: int = 0) -> str:
        capsys.readouterr()
        found = news_app(arguments)
        said = capsys.readouterr()
        assert found == status, said
        return said.out + said.err

    return call


def hooks(site: Site) -> list[dict[str, Any]]:
    return [json.loads(asked.body) for asked in site.asked if asked.path == "/hook"]


def why(news: Callable[..., str], story: str, alerts: Alerts) -> list[str]:
    alerts.rows("UPDATE raw_items SET url = 'https://a.example/' || id")
    ((url,),) = alerts.rows(
        "SELECT r.url FROM raw_items r JOIN contents c ON c.raw_item_id = r.id JOIN stories s ON s.content_id = c.id"
        " WHERE s.id = %s",
        story,
    )
    (item,) = json.loads(news("why", url, "--json"))["items"]
    told = [f"{step['name']}: {step['detail']}" for step in item["steps"] if step["name"].startswith("alert")]
    return [re.sub(r"\d+\w ago", "ago", line) for line in told]


def test_a_story_is_sent_once_to_each_receiver_however_often_it_is_analysed(
    alerts: Alerts, news: Any, mail_server: MailServer, site: Site, tmp_path: Path
) -> None:
    to = [word for name in ("me", "team", "phone", "script", "files") for word in ("--to", name)]
    assert news("alert", "add", "queues", '"retry budget" -cats', *to) == (
        "from now on queues goes to me, team, phone, script, files\n"
    )
    story = alerts.story()
    alerts.story("kettle", kind="video", source=uuid.uuid4())  # of its own event, and it fits too
    for trigger in ("manual", "retry", "auto"):
        assert alerts.analyse(story, trigger) == []
    mails = [mail.message["Subject"] for mail in mail_server.mails]
    assert mails == ["queues: Release of walnut", "queues: Release of kettle"]
    text = mail_server.mails[0].message.get_body(("plain",))
    assert text is not None
    assert f"https://a.example/{story}" in text.get_content()
    first = next(asked for asked in site.asked if asked.path == "/hook")
    signed = f"{first.headers['webhook-id']}.{first.headers['webhook-timestamp']}.".encode() + first.body
    made = base64.b64encode(hmac.new(b"s", signed, hashlib.sha256).digest()).decode()
    assert first.headers["webhook-signature"] == f"v1,{made}"
    assert [(told["type"], told["title"]) for told in hooks(site)] == [
        ("alert", "queues: Release of walnut"),
        ("alert", "queues: Release of kettle"),
    ]
    phone = [asked for asked in site.asked if asked.path == "/"]
    told = json.loads(phone[0].body)
    assert (told["topic"], told["title"], told["click"]) == (
        *("my-news", "queues: Release of walnut"),
        f"https://a.example/{story}",
    )
    assert phone[0].headers["authorization"] == "Bearer t"
    assert (tmp_path / "said").read_text().count("Release of") == 4
    assert len(list((tmp_path / "alerts").iterdir())) == 2
    assert "alert queues to me: sent ago" in why(news, story, alerts)
    assert "queues" in news("alert", "list")
    assert news("alert", "remove", "queues") == "removed alert queues\n"
    alerts.story("granite")
    assert len(mail_server.mails) == 2


def test_what_does_not_fit_is_not_sent_and_why_says_so(alerts: Alerts, news: Any, site: Site) -> None:
    old = alerts.story("walnut")
    alerts.move(timedelta(seconds=1))
    news("alert", "add", "hot", "--min-chili", "5", "--to", "team")
    news("alert", "add", "cats", "cats", "--to", "team")
    news("alert", "add", "others", "source:elsewhere", "--to", "team")
    stale = alerts.story("granite", days_old=3)
    fresh = alerts.story("harbour", days_old=1.5)
    alerts.analyse(old, "manual")
    assert hooks(site) == []
    assert (
        why(news, old, alerts)[1]
        == "alert cats to team: not sent: it was found before the alert was added; its words do not fit"
    )
    assert "it was published more than two days before it was found" in why(news, stale, alerts)[1]
    hot, cats, others = why(news, fresh, alerts)
    assert hot.startswith("alert hot to team: not sent: chili ")
    assert hot.endswith(" is less than 5")
    assert (cats, others) == (
        "alert cats to team: not sent: its words do not fit",
        "alert others to team: not sent: it is of another source",
    )


def test_one_event_is_one_message_of_two_alerts_and_after_its_merger(alerts: Alerts, news: Any, site: Site) -> None:
    news("alert", "add", "queues", "postgres", "--to", "team")
    news("alert", "add", "budgets", "budget", "--to", "team")
    first = alerts.story("walnut")
    again = alerts.story("walnut", source=uuid.uuid4())
    ((clusters, stories),) = alerts.rows("SELECT count(DISTINCT cluster_id), count(cluster_id) FROM stories")
    assert (clusters, stories) == (1, 2), "the two are of one event"
    other = alerts.story("granite")
    assert [told["title"] for told in hooks(site)] == ["queues: Release of walnut", "queues: Release of granite"]
    assert why(news, again, alerts) == [
        "alert queues to team: story 1 tells of the same event: sent ago",
        "alert budgets to team: story 1 tells of the same event: sent by queues ago",
    ]
    # Two events that were sent become one, and are analysed again.
    alerts.rows("UPDATE stories SET cluster_id = (SELECT cluster_id FROM stories WHERE id = %s)", first)
    for story in (first, again, other):
        alerts.analyse(story, "manual")
    assert len(hooks(site)) == 2


def test_events_that_become_one_while_they_wait_are_one_message(alerts: Alerts, news: Any, site: Site) -> None:
    news("alert", "add", "queues", "postgres", "--to", "team")
    site.pages["/hook"] = Answer(status=503)
    first = alerts.story("walnut")
    alerts.move(timedelta(seconds=1))
    second = alerts.story("granite")
    alerts.story("walnut", source=uuid.uuid4())
    alerts.rows("UPDATE stories SET cluster_id = (SELECT cluster_id FROM stories WHERE id = %s)", first)
    site.pages["/hook"] = Answer(status=200)
    alerts.move(timedelta(hours=1))
    alerts.run()
    assert [told["title"] for told in hooks(site)][-1] == "queues: Release of walnut"
    assert why(news, second, alerts) == ["alert queues to team: story 1 tells of the same event: sent ago"]


def test_a_story_is_sent_when_more_sources_make_it_hot(alerts: Alerts, news: Any, site: Site, add_copy: Any) -> None:
    story = alerts.story()
    ((chili,),) = alerts.rows("SELECT (citations ->> 'chili')::float FROM story_overlays")
    news("alert", "add", "hot", "--min-chili", str(chili + 0.05), "--to", "team")
    assert alerts.analyse(story, "manual") == []
    for _ in range(4):
        add_copy(story)
    alerts.analyse(story, "grown")
    assert [told["title"] for told in hooks(site)] == ["hot: Release of walnut"]


@pytest.mark.parametrize("status", [503, 404])
def test_nothing_is_lost_while_a_receiver_is_away_for_a_day(alerts: Alerts, news: Any, site: Site, status: int) -> None:
    news("alert", "add", "queues", "postgres", "--to", "team")
    site.pages["/hook"] = Answer(status=status)
    stories = []
    for word in WORDS[:4]:
        stories.append(alerts.story(word, source=uuid.uuid4()))
        for _ in range(2):
            alerts.move(timedelta(hours=3))
            assert alerts.run() == []
    assert re.search(
        rf"answers {status}.*; tried again at 2026-11-28 \d\d:\d\d:\d\d UTC", why(news, stories[0], alerts)[0]
    )
    site.pages["/hook"] = Answer(status=200)
    alerts.move(timedelta(minutes=40))
    (job,) = alerts.run()
    assert job.output == {"outcome": "sent", "stories": 4}
    assert hooks(site)[-1]["title"] == "queues: 4 events"
    ids = [asked.headers["webhook-id"] for asked in site.asked]
    assert len(set(ids[-2:])) == 1, "the same message has the same id at each attempt"
    assert site.times("/hook") < 60


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(status=307, headers={"Location": "/elsewhere"}), "answers 307"),
        (Answer(status=410), "answers 410"),
    ],
)
def test_a_receiver_that_refuses_fails_the_job_and_gets_all_with_the_next_story(
    alerts: Alerts, news: Any, site: Site, answer: Answer, said: str
) -> None:
    news("alert", "add", "queues", "postgres", "--to", "team")
    site.pages["/hook"] = answer
    story = alerts.story(analysed=False)
    (job,) = alerts.analyse(story, raises=False)
    assert (job.status, said in str(job.error)) == ("failed", True)
    told = why(news, story, alerts)[0]
    assert said in told
    assert told.endswith(f"; tried again with the next story that fits, or by zeke-jobs retry {str(job.id)[:8]}")
    site.pages["/hook"] = Answer(status=200)
    alerts.story("granite")
    assert [told["title"] for told in hooks(site)][-1] == "queues: 2 events"
    assert site.times("/elsewhere") == 0


def test_a_receiver_without_an_answer_holds_up_no_other(
    alerts: Alerts, news: Any, site: Site, mail_server: MailServer
) -> None:
    news("alert", "add", "queues", "postgres", "--to", "team", "--to", "me")
    done = threading.Event()

    def hang(_: Any) -> Answer:
        done.wait(20)
        return Answer()

    site.pages["/hook"] = hang
    story = alerts.story()
    done.set()
    assert len(mail_server.mails) == 1
    assert any("took longer than 1 s" in line for line in why(news, story, alerts))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/bin/false"], "status 1"),
        (["/no/such"], "cannot be run"),
        (["/bin/sh", "-c", "sleep 60"], "sh took longer than 0.3 s"),
        (["/bin/sh", "-c", "echo no printer >&2; exit 3"], "/bin/sh ended with status 3: no printer"),
    ],
)
def test_a_command_that_fails_is_told(
    alerts: Alerts,
    news: Any,
    command: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.briefs.delivery.channels._COMMAND", 0.3)
    alerts.change("script", {"command": command})
    news("alert", "add", "queues", "postgres", "--to", "script")
    story = alerts.story(analysed=False)
    alerts.analyse(story, raises=False)
    assert re.search(said, why(news, story, alerts)[0])


def test_quiet_hours_end_in_one_message(alerts: Alerts, news: Any, site: Site) -> None:
    alerts.change("team", {"quiet": "22:00-07:00 Europe/Berlin"})
    news("alert", "add", "queues", "postgres", "--to", "team")
    alerts.move(timedelta(hours=1, minutes=30))  # half past ten in Berlin
    story = alerts.story("walnut")
    alerts.story("granite")
    assert hooks(site) == []
    assert why(news, story, alerts) == ["alert queues to team: quiet hours until 2026-11-28 07:00 CET"]
    set_clock(alerts.conn, datetime(2026, 11, 28, 5, 59, tzinfo=UTC))
    alerts.run()
    assert hooks(site) == []
    set_clock(alerts.conn, datetime(2026, 11, 28, 6, 0, 1, tzinfo=UTC))
    alerts.run()
    assert [told["title"] for told in hooks(site)] == ["queues: 2 events"]


def test_changed_quiet_hours_hold_within_a_quarter_hour(alerts: Alerts, news: Any, site: Site) -> None:
    alerts.change("team", {"quiet": "20:00-07:00 Europe/Berlin"})
    news("alert", "add", "queues", "postgres", "--to", "team")
    alerts.story("walnut")
    assert hooks(site) == []
    alerts.change("team", {"quiet": "22:00-07:00 Europe/Berlin"})
    alerts.move(timedelta(minutes=15))
    alerts.run()
    assert [told["title"] for told in hooks(site)] == ["queues: Release of walnut"]


def test_beyond_so_many_messages_an_hour_comes_a_summary(alerts: Alerts, news: Any, site: Site) -> None:
    alerts.change("team", {"hourly": 2})
    news("alert", "add", "queues", "postgres", "--to", "team")
    stories = []
    for word in WORDS[:5]:
        stories.append(alerts.story(word))
        alerts.move(timedelta(minutes=1))
    assert len(hooks(site)) == 2
    assert "2 messages in an hour; the next at 21:00:00 UTC" in why(news, stories[4], alerts)[0]
    alerts.move(timedelta(minutes=55, seconds=1))
    alerts.run()
    assert [told["title"] for told in hooks(site)][2:] == ["queues: 3 events"]


def test_a_summary_is_one_message_of_its_hour(alerts: Alerts, news: Any, site: Site) -> None:
    release_clock(alerts.conn)  # a clock that runs gives each row another time
    alerts.change("team", {"hourly": 2})
    news("alert", "add", "queues", "postgres", "--to", "team")
    site.pages["/hook"] = Answer(status=307)
    for word in WORDS[:4]:
        alerts.analyse(alerts.story(word, analysed=False), raises=False)
    site.pages["/hook"] = Answer(status=200)
    site.asked.clear()
    alerts.story(WORDS[4])
    alerts.story(WORDS[5])
    alerts.story(WORDS[6])
    assert [told["title"] for told in hooks(site)] == ["queues: 5 events", f"queues: Release of {WORDS[5]}"]


def test_what_an_analysis_finds_while_the_job_begins_is_not_left_behind(
    alerts: Alerts, news: Any, site: Site, other_conn: Connection, database: str
) -> None:
    news("alert", "add", "queues", "postgres", "--to", "team")
    story = alerts.story("walnut", analysed=False)
    other_conn.autocommit = False
    assert [row["receiver"] for row in SQL.all(other_conn, "alert_hits", story_id=story)] == ["team"]
    outputs = []

    def job() -> None:
        with connect(database) as own:
            outputs.append(alerts.deliver(conn=own))

    thread = threading.Thread(target=job)
    thread.start()
    thread.join(0.5)
    assert thread.is_alive(), "it waits for the analysis"
    other_conn.commit()
    thread.join()
    assert outputs == [{"outcome": "sent", "stories": 1}]


def test_a_long_list_comes_in_several(alerts: Alerts, news: Any, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.briefs.alert._MOST", 2)
    site.pages["/hook"] = Answer(status=503)
    news("alert", "add", "queues", "postgres", "--to", "team")
    for word in WORDS[:5]:
        alerts.story(word)
    site.pages["/hook"] = Answer(status=200)
    site.asked.clear()
    alerts.move(timedelta(hours=1))
    alerts.run()
    assert sorted(len(told["entries"]) for told in hooks(site)) == [1, 2, 2]


def test_what_strangers_write_stays_text(alerts: Alerts, news: Any, mail_server: MailServer, site: Site) -> None:
    news("alert", "add", "queues", "postgres", "--to", "me", "--to", "phone")
    story = alerts.story(analysed=False)
    alerts.rows(
        "UPDATE stories SET title = %s, primary_url = 'javascript:alert(1)'",
        "<b>x</b>\r\nBcc: eve@example.org " + "日" * 2000,
    )
    alerts.analyse(story)
    message = mail_server.mails[0].message
    assert message["Bcc"] is None
    html = message.get_body(("html",))
    assert html is not None
    assert "<b>x</b>" not in html.get_content()
    told = json.loads(site.asked[-1].body)
    assert "click" not in told
    assert len(site.asked[-1].body) < 40_000


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        ("22:00-07:00 Europe/Berlin", "2026-11-27T20:59Z", None),
        ("22:00-07:00 Europe/Berlin", "2026-11-27T21:00Z", "2026-11-28T06:00Z"),
        ("22:00-07:00 Europe/Berlin", "2026-11-28T05:59Z", "2026-11-28T06:00Z"),
        ("22:00-07:00 Europe/Berlin", "2026-11-28T06:00Z", None),
        ("22:00-07:00 Europe/Berlin", "2026-07-27T20:30Z", "2026-07-28T05:00Z"),
        ("12:00-13:30 Asia/Kolkata", "2026-11-27T06:30Z", "2026-11-27T08:00Z"),
        ("12:00-13:30 Asia/Kolkata", "2026-11-27T08:00Z", None),
        # In the night to 2026-10-25, 02:30 comes twice in Berlin; in that to 2026-03-29 it does not come at all.
        ("22:00-02:30 Europe/Berlin", "2026-10-25T00:15Z", "2026-10-25T00:30Z"),
        ("22:00-02:30 Europe/Berlin", "2026-10-25T01:15Z", "2026-10-25T01:30Z"),
        ("22:00-02:30 Europe/Berlin", "2026-03-29T00:45Z", "2026-03-29T01:30Z"),
        ("00:00-23:59 Pacific/Kiritimati", "2026-11-27T10:00Z", "2026-11-28T09:59Z"),
    ],
)
def test_quiet_hours_are_those_of_their_zone(hours: str, now: str, until: str | None) -> None:
    quiet = _quiet(hours)
    assert isinstance(quiet, Quiet)
    found = quiet.until(datetime.fromisoformat(now))
    assert (found and found.astimezone(UTC)) == (until and datetime.fromisoformat(until))
    assert isinstance(quiet.zone, ZoneInfo)


@pytest.mark.parametrize(
    ("receiver", "said"),
    [
        ({}, "expected one of mail, folder, webhook, ntfy, command, and one address, got none"),
        ({"command": ["a"], "ntfy": {"url": "https://ntfy.sh/x"}}, "got ntfy, command: give each"),
        ({"command": []}, "command"),
        ({"ntfy": {"url": "https://ntfy.sh/"}}, "url"),
        ({"command": ["a"], "quiet": "22:00-07:00"}, "expected hours and their time zone"),
        ({"command": ["a"], "quiet": "22:00-22:00 UTC"}, "expected hours and their time zone"),
        ({"command": ["a"], "quiet": "22:00-25:00 UTC"}, "expected hours and their time zone"),
        ({"command": ["a"], "quiet": "22:00-07:00 Mars/Olympus"}, "expected hours and their time zone"),
        ({"command": ["a"], "quiet": "22:00-07:00 ../../etc/passwd"}, "expected hours and their time zone"),
        ({"command": ["a"], "hourly": 0}, "hourly"),
        (
            {"mail": {"host": "m", "from": "a@b.example", "to": ["a@b.example", "c@b.example"]}},
            "and one address, got mail",
        ),
    ],
)
def test_a_receiver_that_makes_no_sense_is_refused(receiver: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Receiver.model_validate(receiver)


@pytest.mark.parametrize("name", ["", "a" * 101])
def test_a_receiver_has_a_name_that_a_job_can_carry(name: str) -> None:
    with pytest.raises(ValidationError, match="String should have at"):
        AlertSettings.model_validate({"receivers": {name: {"command": ["a"]}}})


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("x", "postgres"), "expected --to with a receiver"),
        (
            ("x", "postgres", "--to", "nobody"),
            "got nobody; there are: files, me, phone, script, team\n  help: tasks.deliver-alert.settings",
        ),
        (("x", "postgres since:7d", "--to", "me"), "without since:"),
        (("x", "--to", "me"), "expected a name, and a query or --min-chili"),
        ((" ", "postgres", "--to", "me"), "expected a name"),
    ],
)
def test_an_alert_without_sense_is_refused(alerts: Alerts, news: Any, command: tuple[str, ...], said: str) -> None:
    assert said in news("alert", "add", *command, status=2)
    assert alerts.rows("SELECT FROM alerts") == []


def test_a_name_is_taken_once_and_a_receiver_that_went_from_jobs_yaml_is_told(
    alerts: Alerts, news: Any, receivers: dict[str, Any]
) -> None:
    news("alert", "add", "queues", "postgres", "--to", "me")
    assert "expected a new name" in news("alert", "add", "queues", "cats", "--to", "me", status=2)
    assert "expected the name of an alert" in news("alert", "remove", "cats", status=1)
    alerts.put({"team": receivers["team"]})
    story = alerts.story(analysed=False)
    (job,) = alerts.analyse(story, raises=False)
    assert "expected a receiver in the settings of deliver-alert, got 'me'; there are: team" in str(job.error)
    assert why(news, story, alerts)[0].startswith("alert queues to me: jobs.yaml has no receiver me; tried again with")
    alerts.put(receivers)
    zeke_jobs.retry(job.id)
    alerts.run()
    assert why(news, story, alerts) == ["alert queues to me: sent ago"]


def test_without_the_task_analyses_go_on_and_nothing_is_lost(
    alerts: Alerts, news: Any, receivers: dict[str, Any], site: Site
) -> None:
    news("alert", "add", "queues", "postgres", "--to", "team")
    alerts.put(receivers, "another-name")
    story = alerts.story()
    assert why(news, story, alerts) == ["alert queues to team: its job has not run yet"]
    alerts.change("team", {"hourly": 9})
    alerts.story("granite")
    assert [told["title"] for told in hooks(site)] == ["queues: 2 events"]


def test_a_removed_alert_neither_tells_again_nor_takes_what_another_found(
    alerts: Alerts, news: Any, site: Site
) -> None:
    news("alert", "add", "queues", "postgres", "--to", "team")
    news("alert", "add", "budgets", "budget", "--to", "team")
    told = alerts.story("walnut")
    site.pages["/hook"] = Answer(status=503)
    waits = alerts.story("granite")
    news("alert", "add", "cats", "latency", "--to", "files")
    news("alert", "remove", "queues")
    site.pages["/hook"] = Answer(status=200)
    alerts.move(timedelta(minutes=40))
    alerts.run()
    alerts.analyse(told, "manual")
    titles = [one["title"] for one in hooks(site)]
    assert (titles[0], titles[-1]) == ("queues: Release of walnut", "budgets: Release of granite")
    assert titles.count("queues: Release of walnut") == 1
    assert "budgets: Release of walnut" not in titles
    assert why(news, told, alerts)[0] == "alert budgets to team: sent by a removed alert ago"
    assert why(news, waits, alerts)[0] == "alert budgets to team: sent ago"


def test_a_removal_and_a_delivery_wait_in_order(alerts: Alerts, news: Any, site: Site, other_conn: Connection) -> None:
    news("alert", "add", "budgets", "budget min", "--to", "team")
    news("alert", "add", "queues", "postgres", "--to", "team")
    site.pages["/hook"] = Answer(status=503)
    alerts.story("granite")
    alerts.rows("UPDATE alerts SET words = 'budget' WHERE name = 'budgets'")
    other_conn.autocommit = False
    hold = "SELECT FROM alerts WHERE name = %s FOR UPDATE"
    with other_conn.cursor() as cursor:
        cursor.execute(hold, ("budgets",))
        thread = threading.Thread(target=news, args=("alert", "remove", "queues"))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        cursor.execute(hold, ("queues",))
        assert cursor.rowcount == 1
    other_conn.commit()
    thread.join(10)
    assert alerts.rows("SELECT a.name FROM alert_stories JOIN alerts AS a ON a.id = alert_id") == [("budgets",)]


def test_a_worker_that_dies_after_delivery_sends_the_same_message_again_whatever_was_found_meanwhile(
    alerts: Alerts, news: Any, site: Site
) -> None:
    news("alert", "add", "queues", "postgres", "--to", "team")
    site.pages["/hook"] = Answer(status=307)
    alerts.analyse(alerts.story("walnut", analysed=False), raises=False)

    class Died(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Died

    site.pages["/hook"] = Answer(status=200)
    site.asked.clear()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        patch.setattr(FakeContext, "complete", die)
        alerts.deliver()
    alerts.story("granite")
    ids = [asked.headers["webhook-id"] for asked in site.asked]
    assert [told["title"] for told in hooks(site)] == [*["queues: Release of walnut"] * 2, "queues: Release of granite"]
    assert ids[0] == ids[1] != ids[2]


def test_two_jobs_of_a_receiver_send_a_message_once_whatever_jobs_yaml_says_of_its_concurrency(
    alerts: Alerts, news: Any, site: Site
) -> None:
    news("alert", "add", "queues", "postgres", "--to", "team")
    site.pages["/hook"] = Answer(status=307)
    alerts.analyse(alerts.story("walnut", analysed=False), raises=False)
    site.asked.clear()
    with pytest.raises(zeke_jobs.Defer):
        alerts.deliver(taken_leases=["alert/team"])
    assert site.asked == []


def test_ntfy_gets_a_message_within_its_bound_in_any_script(alerts: Alerts, news: Any, site: Site) -> None:
    news("alert", "add", "queues", "postgres", "--to", "phone")
    story = alerts.story(analysed=False)
    alerts.rows("UPDATE stories SET title = %s", "д" * 500)
    alerts.rows("INSERT INTO story_overlays (story_id, brief_one_liner) VALUES (%s, %s)", story, "д" * 4000)
    alerts.analyse(story)
    assert len(site.asked[-1].body) <= 8192, "ntfy reads twice its 4096 bytes of JSON, and refuses more"
    assert json.loads(site.asked[-1].body)["title"].startswith("queues: ддд")


def test_why_masks_a_secret_in_the_address_of_a_receiver(
    alerts: Alerts, news: Any, receivers: dict[str, Any], site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "k3y-0f-the-h00k-77")
    hook = {**receivers["team"]["webhook"], "url": site.url + "/${HOOK_TOKEN}"}
    alerts.change("team", {"webhook": hook})
    site.pages["/k3y-0f-the-h00k-77"] = Answer(status=404)
    news("alert", "add", "queues", "postgres", "--to", "team")
    story = alerts.story()
    (told,) = why(news, story, alerts)
    assert "answers 404" in told
    assert "k3y-0f" not in told


def test_two_receivers_of_one_folder_get_a_file_each(alerts: Alerts, news: Any, receivers: Any, tmp_path: Path) -> None:
    alerts.change("more", receivers["files"])
    news("alert", "add", "queues", "postgres", "--to", "files", "--to", "more")
    alerts.story()
    assert len(list((tmp_path / "alerts").iterdir())) == 2
