"""Each digest reaches its readers once by mail, as a file in a folder, and by webhook."""

import base64
import hashlib
import hmac
import json
import shutil
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from actors.briefs.deliver import deliver_digest
from actors.briefs.delivery.channels import signature
from actors.briefs.delivery.settings import DeliverySettings
from actors.schema import DeliverDigest
from tests.actors.briefs.conftest import NOW
from tests.actors.database import execute
from tests.actors.mail_server import MailServer
from tests.actors.raw_server import certificate
from tests.actors.scripted_site import Answer, Site
from zeke_jobs import Reject, Retry
from zeke_jobs.errors import Defer
from zeke_jobs.testing import FakeContext, set_clock

STORED = """INSERT INTO item_outcomes (raw_item_id, outcome, story_id) SELECT c.raw_item_id, 'stored', s.id
  FROM stories AS s JOIN contents AS c ON c.id = s.content_id WHERE s.id = %s"""
NASTY = "[/b] <script>alert(1)</script> *Half* `100%` | # _x_\nBcc: eve@example.org"


@pytest.fixture
def story(told: Any, add_copy: Any, conn: Any) -> Callable[..., uuid.UUID]:
    """Add a story of yesterday with a brief and two sources."""

    def add(title: str = "Registry signs packages", url: str = "https://a.example/signed") -> uuid.UUID:
        made: uuid.UUID = told(title, 3, one="It signs each package.", why="Because a token can be stolen.", url=url)
        execute(conn, STORED, made)
        add_copy(made)
        return made

    return add


@pytest.fixture
def deliver(conn: Any) -> Callable[..., dict[str, Any]]:
    """Run deliver-digest once."""

    def run(settings: dict[str, Any], *, taken: tuple[str, ...] = (), **payload: Any) -> dict[str, Any]:
        ctx = FakeContext(conn, settings=DeliverySettings.model_validate(settings), taken_leases=taken)
        return deliver_digest(DeliverDigest.model_validate(payload), ctx)

    return run


def test_a_digest_reaches_everybody_once_however_often_the_job_runs(
    story: Any, deliver: Any, ways: Any, mail_server: MailServer, site: Site, tmp_path: Path
) -> None:
    story()
    assert deliver(ways) == {
        "outcome": "written", "period": "day", "ends_on": "2026-11-24", "entries": 1, "delivered": 6,
    }  # fmt: skip
    file = tmp_path / "messages" / "day-2026-11-24.md"
    written = file.stat().st_mtime_ns
    for _ in range(3):
        assert deliver(ways)["delivered"] == 0
    assert sorted(mail.to for mail in mail_server.mails) == [["ada@b.example"], ["bob@b.example"]]
    assert (site.times("/hook"), site.times("/")) == (1, 1)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert file.stat().st_mtime_ns == written
    assert deliver(ways, period="week")["delivered"] == 6
    assert deliver({**ways, "mail": {**ways["mail"], "to": ["new@b.example"]}})["delivered"] == 1


def test_each_way_tells_all_parts_in_its_form(
    story: Any, deliver: Any, ways: Any, mail_server: MailServer, site: Site, tmp_path: Path
) -> None:
    story()
    deliver(ways)
    mail = mail_server.mails[0]
    assert (mail.sender, mail.user, mail.message["To"]) == ("news@a.example", "news", "ada@b.example")
    assert mail.message["Subject"] == "The day to 2026-11-24: 1 event"
    text, html = (mail.message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    for words in ("Registry signs packages", "It signs each package.", "Because a token can be stolen.",
                  "https://a.example/signed", "chili 3 · Feed, Other"):  # fmt: skip
        assert words in text.get_content()
        assert words in html.get_content()
    assert '<a href="https://a.example/signed">Registry signs packages</a>' in html.get_content()
    assert (tmp_path / "messages" / "day-2026-11-24.md").read_text() == (
        "# The day to 2026-11-24: 1 event\n\n## [Registry signs packages](<https://a.example/signed>)\n\n"
        "*chili 3 · Feed, Other*\n\nIt signs each package.\n\nBecause a token can be stolen.\n"
    )
    assert "Registry signs packages" in (tmp_path / "said").read_text()
    (topic,) = (json.loads(asked.body) for asked in site.asked if asked.path == "/")
    assert (topic["topic"], topic["title"]) == ("my-news", "The day to 2026-11-24: 1 event")
    (asked,) = (asked for asked in site.asked if asked.path == "/hook")
    assert asked.method == "POST"
    signed = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode() + asked.body
    made = hmac.new(b"a secret", signed, hashlib.sha256).digest()
    assert asked.headers["webhook-signature"] == "v1," + base64.b64encode(made).decode()
    told = json.loads(asked.body)
    assert (told["period"], told["endsOn"], told["entries"][0]["told_by"]) == ("day", "2026-11-24", ["Feed", "Other"])


def test_a_secret_signs_as_its_base64() -> None:
    assert signature("a secret", "name", "1", b"x") == signature("whsec_YSBzZWNyZXQ=", "name", "1", b"x")


def test_what_strangers_write_stays_text(
    story: Any, deliver: Any, ways: Any, mail_server: MailServer, tmp_path: Path
) -> None:
    story(NASTY, 'https://a.example/"><script>x</script> (y)')
    story("No address", "javascript:alert(1)")
    deliver(ways)
    mail = mail_server.mails[0].message
    assert mail["Bcc"] is None
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()
    assert "javascript:" not in html.get_content()
    markdown = (tmp_path / "messages" / "day-2026-11-24.md").read_text()
    assert "\\[/b\\] \\<script\\>alert(1)\\</script\\> \\*Half\\* \\`100%\\` \\| \\# \\_x\\_ Bcc: eve" in markdown
    assert "(<https://a.example/%22%3E%3Cscript%3Ex%3C/script%3E%20(y)>)" in markdown
    assert "\n## No address\n" in markdown


def test_one_receiver_that_cannot_be_reached_holds_up_no_other_and_is_tried_again(
    story: Any, deliver: Any, ways: Any, mail_server: MailServer, site: Site, rows: Any
) -> None:
    story()
    mail_server.answers["RCPT"] = ["450 mailbox busy"]
    site.pages["/hook"] = Answer(status=503, headers={"Retry-After": "90"})
    with pytest.raises(Retry) as caught:
        deliver(ways)
    assert "ada@b.example: 450 mailbox busy" in str(caught.value)
    assert "/hook answers 503" in str(caught.value)
    assert caught.value.delay == timedelta(seconds=90)
    assert [mail.to for mail in mail_server.mails] == [["bob@b.example"]]
    failed = "SELECT receiver FROM digest_deliveries WHERE delivered_at IS NULL ORDER BY 1"
    assert [row["receiver"] for row in rows(failed)] == ["mail:ada@b.example", f"webhook:{site.url}/hook"]
    site.pages["/hook"] = Answer(status=200)
    assert deliver(ways)["delivered"] == 2
    first, again = [asked.headers["webhook-id"] for asked in site.asked if asked.path == "/hook"]
    assert first == again, "a receiver can tell that it is the same"
    assert rows(failed) == []


def test_what_the_mail_server_says_is_told(story: Any, deliver: Any, ways: Any, mail_server: MailServer) -> None:
    story()
    mail = {**ways["mail"], "to": ["ada@b.example"]}
    for verb, answer, words, kind in (
        ("RCPT", "550 no such person", "ada@b.example: 550 no such person", Reject),
        ("DATA", "554 spam", "127.0.0.1 answers 554 spam", Reject),
        ("DATA", "451 later", "127.0.0.1 answers 451 later", Retry),
        ("AUTH", "535 who are you", "127.0.0.1 answers 535 who are you", Reject),
        ("MAIL", "421 closing", "127.0.0.1 answers 421 closing", Retry),
    ):
        mail_server.answers = {verb: [answer] * 3}
        with pytest.raises(kind) as caught:
            deliver({"mail": mail})
        assert words in str(caught.value)
        assert "right" not in str(caught.value)


def test_a_receiver_that_cannot_be_reached_says_why(
    story: Any, deliver: Any, ways: Any, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.briefs.delivery.channels._COMMAND", 0.3)
    story()
    changes: list[tuple[str, Any, str, Any]] = [
        # The client sends no password to a server without encryption.
        ("mail", {"security": "starttls"}, "STARTTLS", Reject),
        ("webhook", {"allow_networks": []}, "allow_networks of the receiver: [127.0.0.0/8]", Reject),
        ("webhook", {"url": "ftp://a.example/"}, "expected an http or https address", Reject),
        ("folder", "/dev/null/folder", "cannot be written to", Retry),
        ("command", ["/bin/false"], "status 1", Retry),
        ("command", ["/no/such"], "cannot be run", Reject),
        ("command", ["/bin/sh", "-c", "sleep 60"], "sh took longer than 0.3 s", Retry),
        ("command", ["/bin/sh", "-c", "echo no printer >&2; exit 3"], "/bin/sh ended with status 3: no printer", Retry),
    ]
    for way, change, words, kind in changes:
        with pytest.raises(kind) as caught:
            deliver({way: {**ways[way], **change} if isinstance(change, dict) else change})
        assert words in str(caught.value)
    assert mail_server.mails == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not there to make a certificate")
def test_mail_goes_encrypted_to_a_server_whose_certificate_is_known(
    story: Any, deliver: Any, ways: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, context = certificate(tmp_path, "localhost")
    story()
    with MailServer(tls=context) as server:
        mail = {**ways["mail"], "host": "localhost", "port": server.port, "security": "starttls"}
        with pytest.raises(Reject, match="certificate"):
            deliver({"mail": mail})
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert deliver({"mail": mail})["delivered"] == 2
        assert all(mail.is_encrypted for mail in server.mails)


def test_two_runs_at_once_do_not_deliver_the_same_digest(
    story: Any, deliver: Any, ways: Any, mail_server: MailServer
) -> None:
    story()
    with pytest.raises(Defer):
        deliver(ways, taken=("digest/mail:ada@b.example",))
    assert mail_server.mails == []


def test_a_day_without_stories_is_not_sent(deliver: Any, ways: Any, mail_server: MailServer, conn: Any) -> None:
    set_clock(conn, NOW)
    assert deliver(ways)["outcome"] == "no_stories"
    assert mail_server.connections == 0


def test_without_receivers_the_digest_is_written(story: Any, deliver: Any, rows: Any) -> None:
    story()
    assert deliver({})["delivered"] == 0
    assert len(rows("SELECT FROM digests")) == 1


@pytest.mark.parametrize(
    ("mail", "words"),
    [
        ({"from": "news"}, "from"),
        ({"to": []}, "to"),
        ({"to": ["a@b.example\nBcc: c@d.example"]}, "to"),
        ({"security": "ssl"}, "security"),
    ],
)
def test_settings_that_make_no_sense_are_refused(mail: dict[str, Any], words: str) -> None:
    given = {"host": "mail.example", "from": "a@b.example", "to": ["a@b.example"], **mail}
    with pytest.raises(ValidationError, match=words):
        DeliverySettings.model_validate({"mail": given})
