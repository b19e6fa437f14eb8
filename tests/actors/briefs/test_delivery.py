"""Each digest is delivered once over each channel: mail, a file in a folder, a webhook, ntfy and a command."""

import base64
import hashlib
import hmac
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection
from pydantic import ValidationError

from actors.briefs.deliver import deliver_digest
from actors.briefs.delivery.channels import signature
from actors.briefs.delivery.settings import DeliverySettings
from actors.schema import DeliverDigest
from tests.actors.database import end_items, execute
from tests.actors.mail_server import MailServer
from tests.actors.raw_server import certificate, needs_openssl
from tests.actors.scripted_site import Answer, Asked, Site
from zeke_jobs import Reject, Retry
from zeke_jobs.errors import Defer
from zeke_jobs.testing import FakeContext

NASTY = "[/b] <script>alert(1)</script> *Half* `100%` | # _x_\nBcc: eve@example.org"


class Delivery:
    """Calling an instance runs deliver-digest, by default for all channels; ``story`` adds a story dated yesterday."""

    def __init__(
        self, conn: Connection, told: Any, add_copy: Any, ways: Any, mail_server: MailServer, site: Site
    ) -> None:
        self.conn, self._told, self._add_copy = conn, told, add_copy
        self.ways, self.mail_server, self.site = ways, mail_server, site
        self.folder = Path(ways["folder"])

    def story(self, title: str = "Registry signs packages", url: str = "https://a.example/signed") -> None:
        """Add a story with a brief and two sources."""
        made = self._told(title, 3, one="It signs each package.", why="Because a token can be stolen.", url=url)
        end_items(self.conn, "stored", made)
        self._add_copy(made)

    def __call__(self, settings: Any = None, *, taken: tuple[str, ...] = (), **payload: Any) -> dict[str, Any]:
        chosen = DeliverySettings.model_validate(self.ways if settings is None else settings)
        ctx = FakeContext(self.conn, settings=chosen, taken_leases=taken)
        return deliver_digest(DeliverDigest.model_validate(payload), ctx)

    def hooks(self) -> list[Asked]:
        return [asked for asked in self.site.asked if asked.path == "/hook"]

    def html(self) -> str:
        """Return the first mail as HTML."""
        part = self.mail_server.mails[0].message.get_body(("html",))
        assert part is not None
        return str(part.get_content())


@pytest.fixture
def deliver(conn: Connection, told: Any, add_copy: Any, ways: Any, mail_server: MailServer, site: Site) -> Delivery:
    return Delivery(conn, told, add_copy, ways, mail_server, site)


def test_a_digest_reaches_everybody_once_however_often_the_job_runs_also_at_once(deliver: Delivery, rows: Any) -> None:
    assert deliver()["outcome"] == "no_stories"
    deliver.story()
    with pytest.raises(Defer):
        deliver({"mail": deliver.ways["mail"]}, taken=("digest/mail:ada@b.example",))
    assert deliver.mail_server.mails == []
    assert deliver({})["delivered"] == 0, "without receivers the digest is written"
    assert len(rows("SELECT FROM digests")) == 1
    written = {"outcome": "unchanged", "period": "day", "ends_on": "2026-11-24"}
    assert deliver() == {**written, "entries": 1, "delivered": 6}
    file = deliver.folder / "day-2026-11-24.md"
    changed = file.stat().st_mtime_ns
    for _ in range(3):
        assert deliver()["delivered"] == 0
    assert sorted(mail.to for mail in deliver.mail_server.mails) == [["ada@b.example"], ["bob@b.example"]]
    assert (deliver.site.times("/hook"), deliver.site.times("/")) == (1, 1)
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert file.stat().st_mtime_ns == changed
    assert deliver(period="week")["delivered"] == 6
    assert deliver({**deliver.ways, "mail": {**deliver.ways["mail"], "to": ["new@b.example"]}})["delivered"] == 1


def test_each_way_tells_all_parts_in_its_form(deliver: Delivery) -> None:
    deliver.story()
    deliver()
    mail = deliver.mail_server.mails[0]
    assert (mail.sender, mail.user, mail.message["To"]) == ("news@a.example", "news", "ada@b.example")
    assert mail.message["Subject"] == "The day to 2026-11-24: 1 event"
    text = mail.message.get_body(("plain",))
    assert text is not None
    for words in ("Registry signs packages", "It signs each package.", "Because a token can be stolen.",
                  "https://a.example/signed", "chili 3 · Feed, Other"):  # fmt: skip
        assert words in text.get_content()
        assert words in deliver.html()
    assert '<a href="https://a.example/signed">Registry signs packages</a>' in deliver.html()
    assert (deliver.folder / "day-2026-11-24.md").read_text() == (
        "# The day to 2026-11-24: 1 event\n\n## [Registry signs packages](<https://a.example/signed>)\n\n"
        "*chili 3 · Feed, Other*\n\nIt signs each package.\n\nBecause a token can be stolen.\n"
    )
    assert "Registry signs packages" in (deliver.folder.parent / "said").read_text()
    (topic,) = (json.loads(asked.body) for asked in deliver.site.asked if asked.path == "/")
    assert (topic["topic"], topic["title"]) == ("my-news", "The day to 2026-11-24: 1 event")
    (asked,) = deliver.hooks()
    assert asked.method == "POST"
    signed = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode() + asked.body
    made = hmac.new(b"a secret", signed, hashlib.sha256).digest()
    assert asked.headers["webhook-signature"] == "v1," + base64.b64encode(made).decode()
    assert signature("a secret", "name", "1", b"x") == signature("whsec_YSBzZWNyZXQ=", "name", "1", b"x")
    told = json.loads(asked.body)
    assert (told["period"], told["endsOn"], told["entries"][0]["told_by"]) == ("day", "2026-11-24", ["Feed", "Other"])


def test_what_strangers_write_stays_text(deliver: Delivery) -> None:
    deliver.story(NASTY, 'https://a.example/"><script>x</script> (y)')
    deliver.story("No address", "javascript:alert(1)")
    deliver()
    assert deliver.mail_server.mails[0].message["Bcc"] is None
    assert [word for word in ("<script", "javascript:") if word in deliver.html()] == []
    markdown = (deliver.folder / "day-2026-11-24.md").read_text()
    assert "\\[/b\\] \\<script\\>alert(1)\\</script\\> \\*Half\\* \\`100%\\` \\| \\# \\_x\\_ Bcc: eve" in markdown
    assert "(<https://a.example/%22%3E%3Cscript%3Ex%3C/script%3E%20(y)>)" in markdown
    assert "\n## No address\n" in markdown


def test_one_receiver_that_cannot_be_reached_holds_up_no_other_and_is_tried_again(deliver: Delivery, rows: Any) -> None:
    deliver.story()
    deliver.mail_server.answers["RCPT"] = ["450 mailbox busy"]
    deliver.site.pages["/hook"] = Answer(status=503, headers={"Retry-After": "90"})
    with pytest.raises(Retry) as caught:
        deliver()
    assert "ada@b.example: 450 mailbox busy" in str(caught.value)
    assert "/hook answers 503" in str(caught.value)
    assert caught.value.delay == timedelta(seconds=90)
    assert [mail.to for mail in deliver.mail_server.mails] == [["bob@b.example"]]
    failed = "SELECT receiver FROM digest_deliveries WHERE delivered_at IS NULL ORDER BY 1"
    assert [row["receiver"] for row in rows(failed)] == ["mail:ada@b.example", f"webhook:{deliver.site.url}/hook"]
    deliver.site.pages["/hook"] = Answer(status=200)
    assert deliver()["delivered"] == 2
    first, again = [asked.headers["webhook-id"] for asked in deliver.hooks()]
    assert first == again, "a receiver can tell that it is the same"
    assert rows(failed) == []


def test_a_receiver_that_refuses_or_is_unreachable_says_why(deliver: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.briefs.delivery.channels._COMMAND", 0.3)
    deliver.story()
    changes: list[tuple[str, Any, str, Any]] = [
        # The client sends no password to a server without encryption.
        ("mail", {"security": "starttls"}, "STARTTLS", Reject),
        ("webhook", {"allow_networks": []}, "allow_networks of the receiver: [127.0.0.0/8]", Reject),
        ("webhook", {"url": "ftp://a.example/"}, "expected an http or https address", Reject),
        ("folder", "/dev/null/folder", "cannot be written to", Retry),
        ("command", ["/bin/false"], "status 1", Retry),
        ("command", ["/no/such"], "cannot be run", Reject),
        ("command", ["/bin/sh", "-c", "sleep 60"], "sh took longer than 0.3 s", Retry),
        ("command", ["/bin/sh", "-c", "echo password=p4ss >&2; exit 3"], "/bin/sh ended with status 3: ", Retry),
    ]
    for way, change, words, kind in changes:
        with pytest.raises(kind) as caught:
            deliver({way: {**deliver.ways[way], **change} if isinstance(change, dict) else change})
        assert words in str(caught.value)
    detail = "SELECT right(detail, 12) FROM digest_deliveries WHERE strpos(receiver, 'exit 3') > 0"
    assert execute(deliver.conn, detail) == [("password=***",)]
    assert deliver.mail_server.mails == []
    mail = {**deliver.ways["mail"], "to": ["ada@b.example"]}
    for verb, answer, words, kind in (
        ("RCPT", "550 no such person", "ada@b.example: 550 no such person", Reject),
        ("DATA", "554 spam", "127.0.0.1 answers 554 spam", Reject),
        ("DATA", "451 later", "127.0.0.1 answers 451 later", Retry),
        ("AUTH", "535 who are you", "127.0.0.1 answers 535 who are you", Reject),
        ("MAIL", "421 closing", "127.0.0.1 answers 421 closing", Retry),
    ):
        deliver.mail_server.answers = {verb: [answer] * 3}
        with pytest.raises(kind) as caught:
            deliver({"mail": mail})
        assert words in str(caught.value)
        assert "right" not in str(caught.value)


@needs_openssl
def test_mail_goes_to_a_known_server(deliver: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, context = certificate(tmp_path, "localhost")
    deliver.story()
    with MailServer(tls=context) as server:
        mail = {**deliver.ways["mail"], "host": "localhost", "port": server.port, "security": "starttls"}
        with pytest.raises(Reject, match="certificate"):
            deliver({"mail": mail})
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert deliver({"mail": mail})["delivered"] == 2
        assert all(mail.is_encrypted for mail in server.mails)


@pytest.mark.parametrize("mail", [{"from": "news"}, {"to": []}, {"to": ["a@b.example\nBcc: c@d.example"]}])
def test_settings_that_make_no_sense_are_refused(mail: dict[str, Any]) -> None:
    given = {"host": "mail.example", "from": "a@b.example", "to": ["a@b.example"], **mail}
    with pytest.raises(ValidationError, match=next(iter(mail))):
        DeliverySettings.model_validate({"mail": given})
