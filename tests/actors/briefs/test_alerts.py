"""An alert sends each new matching story once and without delay, and no story is lost while a receiver is down."""

import json
import re
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg2.extensions import connection as Connection
from pydantic import ValidationError

import zeke_jobs
from actors.briefs.alert import deliver_alert
from actors.briefs.delivery.settings import AlertSettings, Receiver
from actors.cli.app import run as news_app
from actors.schema import DeliverAlert
from actors.store import SQL
from tests.actors.conftest import News
from tests.actors.database import execute
from tests.actors.mail_server import MailServer
from tests.actors.scripted_site import Answer, Site
from tests.actors.tasks import ROOT
from tests.each import cases
from zeke_jobs import config
from zeke_jobs.postgres.pool import connect
from zeke_jobs.revisions import applying
from zeke_jobs.testing import FakeContext, JobRunner
from zeke_jobs.testing.running import release_clock, set_clock

SHIPPED = yaml.safe_load((ROOT / "jobs.yaml").read_text(encoding="utf-8"))
AFTER_ANALYSIS = ("analyze-story", "extract-highlights", "generate-brief", "story-summarize")
NOW = datetime(2026, 11, 27, 20, tzinfo=UTC)
TEXT = (
    "The {0} team put a retry budget before its Postgres queue, because latency of {0} had doubled to {1} milliseconds. "
    "It fell by {1} percent after the release of {0}, said the engineers of {0} on Monday."
)
WORDS = ("walnut", "granite", "lantern", "harbour", "meadow", "copper", "saffron", "thistle", "velvet", "juniper")


class Alerts:
    """Analyses and alerts run in this thread with the shipped jobs.yaml; ``team`` is a receiver by webhook on ``site``."""

    def __init__(self, conn: Connection, database: str, add_story: Any, site: Site, receivers: dict[str, Any]) -> None:
        self.conn, self._database, self._add, self.site = conn, database, add_story, site
        self._runners: list[JobRunner] = []
        self.receivers = receivers
        self.put(receivers)

    def put(self, receivers: dict[str, Any], name: str = "deliver-alert") -> None:
        """Apply a jobs.yaml with these receivers, in which the task deliver-alert is called ``name``."""
        tasks = {one: {**SHIPPED["tasks"][one], "paused": one != "analyze-story"} for one in AFTER_ANALYSIS}
        tasks[name] = {**SHIPPED["tasks"]["deliver-alert"], "settings": {"receivers": receivers}}
        chosen = config.load_text(json.dumps({**SHIPPED, "tasks": tasks}), "jobs.yaml")
        applying.sync(self.conn, chosen)
        self.run = JobRunner(chosen, self._database)
        self._runners.append(self.run)

    def change(self, receiver: str, settings: dict[str, Any]) -> None:
        """Change settings of a receiver in the configuration in force."""
        self.put({**self.receivers, receiver: {**self.receivers.get(receiver, {}), **settings}})

    def add(self, *to: str, name: str = "queues", query: str = "postgres") -> None:
        assert news_app(["alert", "add", name, query, *(word for one in to for word in ("--to", one))]) == 0

    def deliver(self, **context: Any) -> dict[str, Any]:
        """Call the handler of deliver-alert for the receiver ``team``."""
        settings = AlertSettings.model_validate({"receivers": {"team": self.receivers["team"]}})
        ctx = FakeContext(context.pop("conn", self.conn), settings=settings, **context)
        return deliver_alert(DeliverAlert(receiver="team"), ctx)

    def story(self, word: str = "walnut", *, analysed: bool = True, **known: Any) -> str:
        """Add a story, analyse it with the real task, and send its alerts."""
        made = str(self._add(TEXT.format(word, len(word) * 7), title=f"Release of {word}", **known))
        self.rows("UPDATE stories SET created_at = zeke_jobs.now() WHERE id = %s", made)
        if analysed:
            self.analyse(made)
        return made

    def refused(self, word: str = "walnut") -> tuple[str, zeke_jobs.Job]:
        """Add a story whose alert fails; return the story and the failed job."""
        story = self.story(word, analysed=False)
        (job,) = self.analyse(story, raises=False)
        return story, job

    def analyse(self, story: str, trigger: str = "auto", **options: Any) -> list[zeke_jobs.Job]:
        zeke_jobs.send("analyze-story", {"story_id": story, "trigger": trigger})
        return [job for job in self.run(**options) if job.task_id == "deliver-alert"]

    def answers(self, status: int, headers: dict[str, str] | None = None, *, anew: bool = False) -> None:
        """Set the answer of the webhook; ``anew`` forgets the requests that it received before."""
        self.site.pages["/hook"] = Answer(status=status, headers=headers or {})
        if anew:
            self.site.asked.clear()

    @property
    def titles(self) -> list[str]:
        """List the titles of the messages that the webhook received."""
        return [json.loads(asked.body)["title"] for asked in self.site.asked if asked.path == "/hook"]

    @property
    def ids(self) -> list[str]:
        return [asked.headers["webhook-id"] for asked in self.site.asked]

    def move(self, **by: float) -> None:
        (now,) = self.rows("SELECT zeke_jobs.now()")[0]
        set_clock(self.conn, now + timedelta(**by))

    def later(self, **by: float) -> list[zeke_jobs.Job]:
        """Move the clock, and run the jobs that are due then."""
        self.move(**by)
        return self.run()

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return execute(self.conn, sql, *params)

    def close(self) -> None:
        for runner in self._runners:
            runner.close()


@pytest.fixture
def receivers(ways: dict[str, Any]) -> dict[str, Any]:
    ways["mail"]["to"] = ["ada@b.example"]
    names = {"me": "mail", "team": "webhook", "phone": "ntfy", "script": "command", "files": "folder"}
    return {name: {way: ways[way]} for name, way in names.items()}


@pytest.fixture
def alerts(conn: Connection, database: str, add_story: Any, site: Site, receivers: dict[str, Any]) -> Iterator[Alerts]:
    set_clock(conn, NOW)
    made = Alerts(conn, database, add_story, site, receivers)
    yield made
    made.close()


@pytest.fixture
def team(alerts: Alerts) -> Alerts:
    """Add the alert ``queues``, which goes to the receiver ``team``."""
    alerts.add("team")
    return alerts


@pytest.fixture
def why(news: News) -> Any:
    """Return what ``zeke-news why`` says of a story's alerts."""

    def ask(story: str) -> list[str]:
        (item,) = news.json("why", f"https://a.example/{story}")["items"]
        told = [f"{step['name']}: {step['detail']}" for step in item["steps"] if step["name"].startswith("alert")]
        return [re.sub(r"[\d\w]+ ago", "ago", line) for line in told]

    return ask


def test_a_story_is_sent_once_to_each_receiver_however_often_it_is_analysed(
    alerts: Alerts, news: News, why: Any, mail_server: MailServer, site: Site, tmp_path: Path
) -> None:
    alerts.change("more", alerts.receivers["files"])  # Two receivers write to the same folder.
    to = ("me", "team", "phone", "script", "files", "more")
    said = news("alert", "add", "queues", '"retry budget" -cats', *(word for name in to for word in ("--to", name)))
    assert said == f"from now on queues goes to {', '.join(to)}\n"
    story = alerts.story()
    # The second story also matches the alert, but reports another event.
    alerts.story("kettle", kind="video", source=uuid.uuid4())
    for trigger in ("manual", "retry", "auto"):
        assert alerts.analyse(story, trigger) == []
    titles = ["queues: Release of walnut", "queues: Release of kettle"]
    assert [mail.message["Subject"] for mail in mail_server.mails] == alerts.titles == titles
    text = mail_server.mails[0].message.get_body(("plain",))
    assert text is not None
    assert f"https://a.example/{story}" in text.get_content()
    phone = next(asked for asked in site.asked if asked.path == "/")
    told = json.loads(phone.body)
    assert (told["topic"], told["title"], told["click"]) == ("my-news", titles[0], f"https://a.example/{story}")
    assert phone.headers["authorization"] == "Bearer t"
    assert (tmp_path / "said").read_text().count("Release of") == 4
    assert len(list((tmp_path / "messages").iterdir())) == 4
    assert "alert queues to me: sent ago" in why(story)
    assert "queues" in news("alert", "list")
    assert news("alert", "remove", "queues") == "removed alert queues\n"
    alerts.story("granite")
    assert len(mail_server.mails) == 2


def test_what_does_not_fit_is_not_sent_and_why_says_so(alerts: Alerts, news: News, why: Any) -> None:
    old = alerts.story("walnut")
    alerts.move(seconds=1)
    news("alert", "add", "hot", "--min-chili", "5", "--to", "team")
    alerts.add("team", name="cats", query="cats")
    alerts.add("team", name="others", query="source:elsewhere")
    stale = alerts.story("granite", days_old=3)
    fresh = alerts.story("harbour", days_old=1.5)
    alerts.analyse(old, "manual")
    assert alerts.titles == []
    cats = "alert cats to team: not sent: it was found before the alert was added; its words do not fit"
    assert why(old)[1] == cats
    assert "it was published more than two days before it was found" in why(stale)[1]
    hot, *others = why(fresh)
    assert re.fullmatch(r"alert hot to team: not sent: chili .* is less than 5", hot)
    unfit = (("cats", "its words do not fit"), ("others", "it is of another source"))
    assert others == [f"alert {name} to team: not sent: {reason}" for name, reason in unfit]


def test_one_event_is_one_message_of_two_alerts_and_after_a_merger(team: Alerts, why: Any) -> None:
    team.add("team", name="budgets", query="budget")
    first, again = team.story("walnut"), team.story("walnut", source=uuid.uuid4())
    counts = team.rows("SELECT count(DISTINCT cluster_id), count(cluster_id) FROM stories")
    assert counts == [(1, 2)], "the two are of one event"
    other = team.story("granite")
    assert team.titles == ["queues: Release of walnut", "queues: Release of granite"]
    same = "to team: story 1 is about the same event: sent"
    assert why(again) == [f"alert queues {same} ago", f"alert budgets {same} by queues ago"]
    # All stories are put into the first story's cluster, so that they are of one event, and are analysed again.
    team.rows("UPDATE stories SET cluster_id = (SELECT cluster_id FROM stories WHERE id = %s)", first)
    for story in (first, again, other):
        team.analyse(story, "manual")
    assert len(team.titles) == 2
    # If two events are merged while their alerts wait to be sent, one message is sent for both.
    team.rows("DELETE FROM stories")
    team.answers(503)
    first = team.story("walnut")
    team.move(seconds=1)
    second = team.story("granite")
    team.story("walnut", source=uuid.uuid4())
    team.rows("UPDATE stories SET cluster_id = (SELECT cluster_id FROM stories WHERE id = %s)", first)
    team.answers(200)
    team.later(hours=1)
    assert team.titles[-1] == "queues: Release of walnut"
    assert re.fullmatch(r"alert queues to team: story \d is about the same event: sent ago", why(second)[0])


def test_a_story_is_sent_when_more_sources_make_it_hot(alerts: Alerts, news: News, add_copy: Any) -> None:
    story = alerts.story()
    ((chili,),) = alerts.rows("SELECT (citations ->> 'chili')::float FROM story_overlays")
    news("alert", "add", "hot", "--min-chili", str(chili + 0.05), "--to", "team")
    assert alerts.analyse(story, "manual") == []
    for _ in range(4):
        add_copy(story)
    alerts.analyse(story, "grown")
    assert alerts.titles == ["hot: Release of walnut"]


@pytest.mark.parametrize(("status", "most"), [(503, 50), (404, 50), (503, 3)])
def test_nothing_is_lost_while_a_receiver_is_away_for_a_day_and_a_long_list_comes_in_several(
    team: Alerts, why: Any, status: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.briefs.alert._MOST", most)
    team.answers(status)
    stories = []
    for word in WORDS[:4]:
        stories.append(team.story(word, source=uuid.uuid4()))
        assert team.later(hours=3) == team.later(hours=3) == []
    again = rf"answers {status}.*; tried again at 2026-11-28 \d\d:\d\d:\d\d UTC"
    assert re.search(again, why(stories[0])[0])
    team.answers(200)
    assert sum((job.output or {})["stories"] for job in team.later(minutes=40)) == 4
    if most < 4:
        assert [len(json.loads(asked.body)["entries"]) for asked in team.site.asked[-2:]] == [3, 1]
    else:
        assert team.titles[-1] == "queues: 4 events"
        assert len(set(team.ids[-2:])) == 1, "the same message has the same id at each attempt"
    assert team.site.times("/hook") < 60


@pytest.mark.parametrize(("status", "headers"), [(307, {"Location": "/elsewhere"}), (410, {})])
def test_a_receiver_that_refuses_gets_all_later(team: Alerts, why: Any, status: int, headers: dict[str, str]) -> None:
    team.answers(status, headers)
    story, job = team.refused()
    assert (job.status, f"answers {status}" in str(job.error)) == ("failed", True)
    (told,) = why(story)
    assert f"answers {status}" in told
    assert told.endswith(f"; tried again with the next story that fits, or by zeke-jobs retry {str(job.id)[:8]}")
    team.answers(200)
    team.story("granite")
    assert team.titles[-1] == "queues: 2 events"
    assert team.site.times("/elsewhere") == 0


def test_a_receiver_without_an_answer_holds_up_no_other(alerts: Alerts, why: Any, mail_server: MailServer) -> None:
    alerts.add("team", "me")
    done = threading.Event()

    def hang(_: Any) -> Answer:
        done.wait(20)
        return Answer()

    alerts.site.pages["/hook"] = hang
    story = alerts.story()
    done.set()
    assert len(mail_server.mails) == 1
    assert any("took longer than 1 s" in line for line in why(story))


def test_quiet_hours_end_in_one_message_and_changed_ones_hold_within_a_quarter_hour(team: Alerts, why: Any) -> None:
    team.change("team", {"quiet": "20:00-07:00 Europe/Berlin"})
    team.story("lantern")
    assert team.titles == []
    team.change("team", {"quiet": "22:00-07:00 Europe/Berlin"})
    team.later(minutes=15)
    assert team.titles == ["queues: Release of lantern"]
    team.site.asked.clear()
    team.move(hours=1, minutes=15)  # The time in Berlin is now 22:30.
    story = team.story("walnut")
    team.story("granite")
    assert team.titles == []
    assert why(story) == ["alert queues to team: quiet hours until 2026-11-28 07:00 CET"]
    for moment, titles in (("05:59", []), ("06:00:01", ["queues: 2 events"])):
        set_clock(team.conn, datetime.fromisoformat(f"2026-11-28T{moment}Z"))
        team.run()
        assert team.titles == titles


def test_beyond_so_many_messages_an_hour_comes_a_summary(team: Alerts, why: Any) -> None:
    team.change("team", {"hourly": 2})
    for word in WORDS[:5]:
        story = team.story(word)
        team.move(minutes=1)
    assert len(team.titles) == 2
    assert "2 messages in an hour; the next at 21:00:00 UTC" in why(story)[0]
    team.later(minutes=55, seconds=1)
    assert team.titles[2:] == ["queues: 3 events"]


def test_a_summary_is_one_message_of_its_hour(team: Alerts) -> None:
    release_clock(team.conn)  # With a running clock each row gets another time.
    team.change("team", {"hourly": 2})
    team.answers(307)
    for word in WORDS[:4]:
        team.refused(word)
    team.answers(200, anew=True)
    for word in WORDS[4:7]:
        team.story(word)
    assert team.titles == ["queues: 5 events", f"queues: Release of {WORDS[5]}"]


def test_a_story_found_as_the_job_begins_is_not_lost(team: Alerts, other_conn: Connection, database: str) -> None:
    story = team.story("walnut", analysed=False)
    other_conn.autocommit = False
    assert [row["receiver"] for row in SQL.all(other_conn, "alert_hits", story_id=story)] == ["team"]
    outputs = []

    def job() -> None:
        with connect(database) as own:
            outputs.append(team.deliver(conn=own))

    thread = threading.Thread(target=job)
    thread.start()
    thread.join(0.5)
    assert thread.is_alive(), "it waits for the analysis"
    other_conn.commit()
    thread.join()
    assert outputs == [{"outcome": "sent", "stories": 1}]


def test_what_strangers_write_stays_text_and_within_the_bound_of_ntfy(alerts: Alerts, mail_server: MailServer) -> None:
    alerts.add("me", "phone")
    story = alerts.story(analysed=False)
    title = "<b>x</b>\r\nBcc: eve@example.org " + "日д" * 1000
    alerts.rows("UPDATE stories SET title = %s, primary_url = 'javascript:alert(1)'", title)
    alerts.rows("INSERT INTO story_overlays (story_id, brief_one_liner) VALUES (%s, %s)", story, "д" * 4000)
    alerts.analyse(story)
    assert mail_server.mails[0].message["Bcc"] is None
    sent = alerts.site.asked[-1].body
    assert len(sent) <= 8192, "ntfy reads twice its 4096 bytes of JSON, and refuses more"
    told = json.loads(sent)
    assert "click" not in told
    assert told["title"].startswith("queues: <b>x</b>")


@cases(
    "hours now until",
    ("22:00-07:00 Europe/Berlin", "2026-11-27T20:59Z", None),
    ("22:00-07:00 Europe/Berlin", "2026-11-27T21:00Z", "2026-11-28T06:00Z"),
    ("22:00-07:00 Europe/Berlin", "2026-11-28T05:59Z", "2026-11-28T06:00Z"),
    ("22:00-07:00 Europe/Berlin", "2026-11-28T06:00Z", None),
    ("22:00-07:00 Europe/Berlin", "2026-07-27T20:30Z", "2026-07-28T05:00Z"),
    ("12:00-13:30 Asia/Kolkata", "2026-11-27T06:30Z", "2026-11-27T08:00Z"),
    # In Berlin, 02:30 happens twice on 2026-10-25, and does not happen on 2026-03-29.
    ("22:00-02:30 Europe/Berlin", "2026-10-25T00:15Z", "2026-10-25T00:30Z"),
    ("22:00-02:30 Europe/Berlin", "2026-10-25T01:15Z", "2026-10-25T01:30Z"),
    ("22:00-02:30 Europe/Berlin", "2026-03-29T00:45Z", "2026-03-29T01:30Z"),
    ("00:00-23:59 Pacific/Kiritimati", "2026-11-27T10:00Z", "2026-11-28T09:59Z"),
)
def test_quiet_hours_are_those_of_their_zone(hours: str, now: str, until: str | None) -> None:
    quiet = Receiver.model_validate({"command": ["a"], "quiet": hours}).quiet
    assert quiet is not None
    found = quiet.until(datetime.fromisoformat(now))
    assert (found and found.astimezone(UTC)) == (until and datetime.fromisoformat(until))


HOURS = "expected hours and their time zone"


@cases(
    "receiver said",
    ({}, "expected one of mail, folder, webhook, ntfy, command, and one address, got none"),
    ({"command": ["a"], "ntfy": {"url": "https://ntfy.sh/x"}}, "got ntfy, command: give each"),
    ({"command": []}, "command"),
    ({"ntfy": {"url": "https://ntfy.sh/"}}, "url"),
    *(
        ({"command": ["a"], "quiet": f"22:00-{hours}"}, HOURS)
        for hours in ("07:00", "22:00 UTC", "25:00 UTC", "07:00 Mars/Olympus", "07:00 ../../etc/passwd")
    ),
    ({"command": ["a"], "hourly": 0}, "hourly"),
    ({"mail": {"host": "m", "from": "a@b.example", "to": ["a@b.example", "c@b.example"]}}, "and one address, got"),
    ({"name": "", "command": ["a"]}, "String should have at"),
    ({"name": "a" * 101, "command": ["a"]}, "String should have at"),
)
def test_a_receiver_that_makes_no_sense_is_refused(receiver: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AlertSettings.model_validate({"receivers": {receiver.pop("name", "x"): receiver}})


def test_an_alert_without_sense_is_refused(alerts: Alerts, news: News) -> None:
    for command, said in (
        (("x", "postgres"), "expected --to with a receiver"),
        (("x", "postgres", "--to", "nobody"), "got nobody; there are: files, me, phone, script, team\n  help: tasks.deliver-alert.settings"),
        (("x", "postgres since:7d", "--to", "me"), "without since:"),
        (("x", "--to", "me"), "expected a name, and a query or --min-chili"),
        ((" ", "postgres", "--to", "me"), "expected a name"),
    ):  # fmt: skip
        assert said in news("alert", "add", *command, status=2)
    assert alerts.rows("SELECT FROM alerts") == []
    alerts.add("me")
    assert "expected a new name" in news("alert", "add", "queues", "cats", "--to", "me", status=2)
    assert "expected the name of an alert" in news("alert", "remove", "cats", status=1)


def test_a_receiver_or_the_task_that_went_from_jobs_yaml_is_told_and_nothing_is_lost(alerts: Alerts, why: Any) -> None:
    alerts.add("me")
    alerts.put({"team": alerts.receivers["team"]})
    story, job = alerts.refused()
    assert "expected a receiver in the settings of deliver-alert, got 'me'; there are: team" in str(job.error)
    assert why(story)[0].startswith("alert queues to me: jobs.yaml has no receiver me; tried again with")
    alerts.put(alerts.receivers)
    zeke_jobs.retry(job.id)
    alerts.run()
    assert why(story) == ["alert queues to me: sent ago"]
    alerts.add("team", name="others")
    alerts.put(alerts.receivers, "another-name")
    assert "alert others to team: its job has not run yet" in why(alerts.story("kettle"))
    alerts.change("team", {"hourly": 9})
    alerts.story("granite")
    assert alerts.titles == ["others: 2 events"]


def test_a_removed_alert_neither_tells_again_nor_takes_what_another_found(team: Alerts, news: News, why: Any) -> None:
    team.add("team", name="budgets", query="budget")
    told = team.story("walnut")
    team.answers(503)
    waits = team.story("granite")
    team.add("files", name="cats", query="latency")
    news("alert", "remove", "queues")
    team.answers(200)
    team.later(minutes=40)
    team.analyse(told, "manual")
    titles = team.titles
    assert (titles[0], titles[-1]) == ("queues: Release of walnut", "budgets: Release of granite")
    assert titles.count("queues: Release of walnut") == 1
    assert "budgets: Release of walnut" not in titles
    assert why(told)[0] == "alert budgets to team: sent by a removed alert ago"
    assert why(waits)[0] == "alert budgets to team: sent ago"


def test_a_removal_and_a_delivery_wait_in_order(alerts: Alerts, news: News, other_conn: Connection) -> None:
    alerts.add("team", name="budgets", query="budget min")
    alerts.add("team")
    alerts.answers(503)
    alerts.story("granite")
    alerts.rows("UPDATE alerts SET words = 'budget' WHERE name = 'budgets'")
    other_conn.autocommit = False
    hold = "SELECT name FROM alerts WHERE name = %s FOR UPDATE"
    execute(other_conn, hold, "budgets")
    thread = threading.Thread(target=news, args=("alert", "remove", "queues"))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    assert execute(other_conn, hold, "queues") == [("queues",)]
    other_conn.commit()
    thread.join(10)
    assert alerts.rows("SELECT a.name FROM alert_stories JOIN alerts AS a ON a.id = alert_id") == [("budgets",)]


def test_two_jobs_send_a_message_once_and_after_a_death_it_is_sent_again_as_it_was(team: Alerts) -> None:
    team.answers(307)
    team.refused("walnut")

    class Died(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Died

    team.answers(200, anew=True)
    with pytest.raises(zeke_jobs.Defer):
        team.deliver(taken_leases=["alert/team"])
    assert team.site.asked == []
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        patch.setattr(FakeContext, "complete", die)
        team.deliver()
    team.story("granite")
    assert team.titles == [*["queues: Release of walnut"] * 2, "queues: Release of granite"]
    assert team.ids[0] == team.ids[1] != team.ids[2]


def test_why_masks_a_secret_in_a_receivers_address(team: Alerts, why: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "k3y-0f-the-h00k-77")
    hook = {**team.receivers["team"]["webhook"], "url": team.site.url + "/${HOOK_TOKEN}"}
    team.change("team", {"webhook": hook})
    team.site.pages["/k3y-0f-the-h00k-77"] = Answer(status=404)
    (told,) = why(team.story())
    assert "answers 404" in told
    assert "k3y-0f" not in told
