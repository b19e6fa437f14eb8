"""A mailbox folder is a source. Each message is read once, the folder stays unchanged, and a failing server is reported."""

import base64
import traceback
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from actors.engine import Settings
from actors.engine.contract import ContentSource, EngineError
from actors.engine.mail.message import read_message
from tests.actors.engine.conftest import failure
from tests.actors.imap_server import ImapServer
from tests.actors.raw_server import certificate, needs_openssl
from tests.each import cases

SECRET = "right and s3cret"
PARAGRAPH = "<p>The letter says in a whole paragraph that the queue was measured again, and why that is news.</p>"


def letter(n: int, *, link: str = "", sender: str = "Ada <ada@a.example>", body: str = PARAGRAPH * 4) -> bytes:
    made = EmailMessage()
    made["From"], made["Subject"], made["Message-ID"] = sender, f"Letter {n}", f"<{n}@a.example>"
    made["Date"] = f"Mon, {n % 28 + 1:02} Jun 2026 08:00:00 +0000"
    made.set_content("The letter as text.")
    html = f"<html><body>{link}{body}<a href='https://a.example/bye'>Unsubscribe</a></body></html>"
    made.add_alternative(html, subtype="html")
    return made.as_bytes()


def given(data: bytes) -> bytes:
    """Make an IMAP server's answer that contains a message."""
    return b"* 1 FETCH (BODY[]<0> {%d}\r\n%b)\r\nTAG OK done\r\n" % (len(data), data)


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with ImapServer(password=SECRET) as server:
        server.folders["News"] = {n: letter(n) for n in range(1, 4)}
        yield server


def read(
    imap: ImapServer, mark: str | None = None, address: str = "imap://mine/News", **settings: Any
) -> ContentSource:
    mailbox = {"host": "127.0.0.1", "port": imap.port, "security": "none", "user": "a da", "password": SECRET}
    given = {"mailboxes": {"mine": mailbox | settings.pop("mailbox", {})}, "feed_timeout": "2s", **settings}
    return Settings.model_validate(given).open().fetch_source(address, mark)


def titles(source: ContentSource) -> list[str]:
    return [item.title for item in source.items or []]


def test_each_message_is_read_once_and_nothing_in_the_folder_changes(imap: ImapServer) -> None:
    first = read(imap)
    assert titles(first) == ["Letter 3", "Letter 2", "Letter 1"]
    assert (first.name, first.etag, first.not_modified) == ("News", "1:3", False)
    item = (first.items or [])[0]
    assert (item.id, item.author and item.author.name, item.url) == ("<3@a.example>", "Ada", "")
    assert str(item.published_at) == "2026-06-04 08:00:00+00:00"
    again = read(imap, first.etag)
    assert (again.items, again.etag, again.not_modified) == ([], "1:3", True)
    imap.folders["News"][9] = letter(9)
    later = read(imap, again.etag)
    assert (titles(later), later.etag) == (["Letter 9"], "1:9")
    assert imap.fetched() == [1, 2, 3, 9]
    verbs = {" ".join(one.split()[:2]) for one in imap.commands}
    assert verbs == {"CAPABILITY", 'LOGIN "a', 'EXAMINE "News"', "UID SEARCH", "UID FETCH"}
    assert all("BODY.PEEK[]" in one for one in imap.commands if "FETCH" in one)


def test_a_renumbered_folder_and_a_burst_lose_and_double_nothing(imap: ImapServer) -> None:
    mark = read(imap).etag
    imap.validity = 2
    imap.folders["News"] = {n + 10: letter(n) for n in range(1, 4)}
    renumbered = read(imap, mark)
    assert [item.id for item in renumbered.items or []] == [f"<{n}@a.example>" for n in (3, 2, 1)]
    assert renumbered.etag == "2:13"
    imap.folders["News"] |= {n: letter(n) for n in range(20, 26)}
    seen: list[str] = []
    mark = renumbered.etag
    for _ in range(3):
        answer = read(imap, mark, max_entries=2)
        seen, mark = [*titles(answer), *seen], answer.etag
    assert seen == [f"Letter {n}" for n in range(25, 19, -1)]
    assert titles(read(imap, None, max_entries=2)) == ["Letter 25", "Letter 24"]


def test_a_folder_of_any_name_and_one_sender_are_chosen_by_the_address(imap: ImapServer) -> None:
    imap.folders["Rundbriefe/&AMQ-rzte &- &ZeVnLIqe-"] = {1: letter(1), 2: letter(2, sender="Bob <bob@b.example>")}
    address = "imap://mine/Rundbriefe/%C3%84rzte%20&%20%E6%97%A5%E6%9C%AC%E8%AA%9E"
    assert titles(read(imap, address=address)) == ["Letter 2", "Letter 1"]
    assert titles(read(imap, address=f"{address}?from=bob@b.example")) == ["Letter 2"]
    for wrong, words in (
        ("imap://other/News", r"a name in services.engine.mailboxes \(mine\), got 'other'"),
        ("imap://mine/None", r"opens no folder 'None': no such mailbox"),
        ("imap://mine/A%0D%0AX", "in printable characters"),
        ("imap://mine/A?from=%C3%A4@a.example", "in printable characters"),
    ):
        with pytest.raises(EngineError, match=words):
            read(imap, address=wrong)


def test_a_password_is_in_no_message_and_a_server_without_tls_names_the_setting(imap: ImapServer) -> None:
    with pytest.raises(EngineError, match="begins in the clear needs security: starttls"):
        read(imap, mailbox={"security": "tls"})
    imap.password = "another"
    error = failure(read, imap)
    assert str(error) == "127.0.0.1 refuses the login of a da"
    assert error.code == "forbidden"
    imap.answers["LOGIN"] = lambda command: f"* BYE {command}\r\n".encode()
    assert SECRET not in "".join(traceback.format_exception(failure(read, imap)))
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"mailboxes": {"a": {"host": "b", "user": "c", "password": f"{SECRET}\r\n"}}})
    assert SECRET not in str(refused.value)


@cases(
    "verb answer code words",
    ("UID SEARCH", None, "fetch_failed", "EOF"),
    ("EXAMINE", b"", "timeout", "longer than"),
    ("UID FETCH", b"* 1 FETCH (UID 1 BODY[] {9999999999}\r\n" + b"x" * 500_000, "too_large", "larger than"),
    ("UID FETCH", b"* 1 FETCH (UID 1 BODY[] {30000000}\r\n" + b"x" * 30_000_000, "too_large", "larger than"),
    ("UID SEARCH", b"* SEARCH " + b"1 " * 800_000, "fetch_failed", "got more than"),
    ("CAPABILITY", b"\xff\xfe nonsense\r\n", "fetch_failed", "unexpected response"),
    ("EXAMINE", b"* BYE going down\r\n", "fetch_failed", "going down"),
    ("EXAMINE", b"* OK [UIDVALIDITY (] x\r\nTAG NO {3}\r\n(((\r\n", "not_found", "opens no folder 'News'"),
    ("UID SEARCH", b"* SEARCH {3}\r\n1 2\r\nTAG OK done\r\n", "fetch_failed", "127.0.0.1: "),
    ("UID FETCH", b"* 1 FETCH (BODY[] {" + b"9" * 5000 + b"}\r\n", "fetch_failed", "127.0.0.1: "),
    ("UID FETCH", b'* 1 FETCH (BODY[] "short")\r\nTAG OK done\r\n', "fetch_failed", "expected message 1, got"),
    ("CAPABILITY", b"* CAPABILITY \xff\r\nTAG OK done\r\n", "fetch_failed", "127.0.0.1: "),
    ("LOGIN", b"TAG OK [CAPABILITY \xff] x\r\n* BYE (\r\n", "fetch_failed", "127.0.0.1: "),
)  # fmt: skip
def test_a_failing_server_is_a_reason(imap: ImapServer, verb: str, answer: bytes | None, code: str, words: str) -> None:
    imap.answers[verb] = lambda _: answer
    with pytest.raises(EngineError, match=words) as caught:
        read(imap, feed_timeout="300ms" if code == "timeout" else "2s")
    assert caught.value.code == code


def test_messages_before_a_lost_connection_count_and_a_lost_one_holds_up_no_other(imap: ImapServer) -> None:
    imap.answers["UID FETCH"] = lambda command: None if " 3 " in command else given(letter(1))
    cut = read(imap)
    assert (len(cut.items or []), cut.etag) == (2, "1:2")
    with pytest.raises(EngineError):
        read(imap, cut.etag)
    imap.answers.clear()
    assert titles(read(imap, cut.etag)) == ["Letter 3"]
    refusal = b"TAG NO The requested message could not be converted to an RFC-822 compatible format.\r\n"
    imap.answers["UID FETCH"] = lambda command: refusal if " 1 " in command else given(letter(int(command.split()[2])))
    source = read(imap)
    assert titles(source)[:2] == ["Letter 3", "Letter 2"]
    assert ("could not be converted" in titles(source)[2], source.etag) == (True, "1:3")
    imap.answers["UID FETCH"] = lambda _: b"TAG NO [UNAVAILABLE] try again later\r\n"
    with pytest.raises(EngineError, match="try again later"):
        read(imap)


@cases(
    "link url",
    ("<a href='https://a.example/1'>View this email in your browser</a>", "https://a.example/1"),
    ("<p>Having trouble? See it in a browser: <a href='https://a.example/2'>here</a></p>", "https://a.example/2"),
    ("<a href='https://a.example/3'>Im Browser ansehen</a>", "https://a.example/3"),
    ("<a href='https://a.example/4'>Voir dans votre navigateur</a>", "https://a.example/4"),
    ("<a href='https://a.example/8'>Read Online</a>", "https://a.example/8"),
    ("<a href='https://a.example/9'>View this email on the web</a>", "https://a.example/9"),
    ("<a href='https://a.example/a'>Read the full article online</a>", ""), ("<a href='https://a.example/b'>See our new website</a>", ""),
    ("<a href='https://a.example/c'>Read how the web changed</a>", ""),
    ("<a href='https://a.example/d'>Models that run in the browser</a>", ""),
    ("<a href='javascript:x()'>View online</a>", ""), ("<a href='/5'>View online</a>", ""),
    ("<a href='https://a.example/unsubscribe'>Open in browser</a>", ""), ("<a href='https://a.example/6'>A story</a>", ""),
)  # fmt: skip
def test_the_view_on_the_web_is_found_and_no_other_link_is_followed(link: str, url: str) -> None:
    assert read_message(letter(1, link=link)).url == url
    assert read_message(b"Archived-At: <https://a.example/7>\n" + letter(1, link=link)).url == "https://a.example/7"


NAMES = {"Ada <ada@a.example>": "Ada", '"Ada, of A" <ada@a.example>': "Ada, of A", "ada@a.example": "ada@a.example"}
NAMES |= {"=?utf-8?q?L=C3=B6we=2C_Ada?= <ada@a.example>": "Löwe, Ada", "<ada@a.example>": "<ada@a.example>"}


def test_the_author_is_the_senders_name_and_broken_mail_of_any_form_is_read() -> None:
    koi = "Новости дня".encode("koi8-r")
    subject = base64.b64encode(koi).decode()
    mails: dict[bytes, tuple[str, str]] = {
        f"Subject: =?koi8-r?B?{subject}?=\nContent-Type: text/html; charset=koi8-r\n\n<p>".encode() + koi: ("Новости дня", "<p>Новости дня"),
        "Subject: Grüße\nContent-Type: text/plain\n\nZeile <eins>\r\n\r\nZwei".encode(): ("Grüße", "<p>Zeile &lt;eins&gt;</p><p>Zwei</p>"),
        b"Subject: =?no-such?Q?A?=\nContent-Type: text/plain; charset=no-such\n\nh": ("A", "<p>h</p>"),
        b"Subject: =?utf-8?B?A?=\nDate: yesterday\nFrom: <<>>\n\nx": ("=?utf-8?B?A?=", "<p>x</p>"),
        b'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\nPHA+Y3V': ("", "<p>cu"),
        b"Content-Type: text/html\nContent-Disposition: attachment\n\n<p>no": ("", "<p></p>"),
        b"": ("", "<p></p>"),
    }  # fmt: skip
    for sender, name in NAMES.items():
        author = read_message(f"From: {sender}\n\nx".encode()).author
        assert author is not None
        assert author.name == name
    assert read_message(b"From: \n\nx").author is None
    for body, (title, content) in mails.items():
        item = read_message(body)
        assert (item.title, item.metadata["content"]) == (title, content), body
    assert len({read_message(body).id for body in mails}) == len(mails)


def test_a_message_that_breaks_its_reader_becomes_an_item_that_says_so(imap: ImapServer) -> None:
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(3000))
    imap.folders["News"] = {1: b"Subject: deep\n" + deep, 2: letter(2), 3: letter(3, body=PARAGRAPH * 6_000)}
    found = read(imap, feed_timeout="60s")
    assert titles(found)[:2] == ["Letter 3", "Letter 2"]
    assert found.etag == "1:3"
    assert len((found.items or [])[0].metadata["content"]) == 200_000
    assert titles(found)[2].startswith("A message that cannot be read: imap://mine/News#1 ")


@needs_openssl
@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_a_mailbox_is_read_from_a_known_server(
    imap: ImapServer, security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, imap.tls = certificate(tmp_path, "localhost")
    imap.starts_tls = security == "starttls"
    for host in ("localhost", "127.0.0.1"):
        with pytest.raises(EngineError, match="certificate verify failed"):
            read(imap, mailbox={"security": security, "host": host})
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert [one for one in imap.commands if "LOGIN" in one] == []
    assert len(read(imap, mailbox={"security": security, "host": "localhost"}).items or []) == 3
