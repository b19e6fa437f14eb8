"""Reads a folder of a mailbox by IMAP, like a feed. Reading changes nothing in the mailbox. Each message is read once.

The address of the folder is ``imap://NAME/FOLDER``. NAME is a name in ``services.engine.mailboxes``. ``?from=`` at the
end chooses the mails of one sender.
"""

from __future__ import annotations

import base64
import imaplib
import re
import ssl
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any
from urllib.parse import parse_qs, unquote

from actors.engine.canonical import split
from actors.engine.connect import Budget
from actors.engine.contract import ContentItem, ContentSource, EngineError
from actors.engine.reading import read_message
from actors.engine.settings import EngineSettings, Mailbox
from actors.engine.text import one_line

_LARGEST = 2_000_000  # bytes of a message; the text comes before the attachments


def read_mailbox(url: str, settings: EngineSettings, mark: str | None) -> ContentSource:
    """Return the messages after ``mark``, the position that the last reading returned as ``etag``.

    Without a mark, or if the server renumbered the folder, return the newest. Reading stops after half of the timeout,
    and the next reading continues there. A message that is read again is no new item: its Message-ID is the item's id.
    """
    parts = split(url)
    folder, sender = unquote(parts.path.strip("/")) or "INBOX", parse_qs(parts.query).get("from", [""])[0]
    if (mailbox := settings.mailboxes.get(parts.netloc)) is None:
        known = f"expected a name in services.engine.mailboxes ({', '.join(settings.mailboxes) or 'none'})"
        raise EngineError("invalid_url", f"{known}, got {parts.netloc!r}")
    if not (folder.isprintable() and sender.isprintable() and sender.isascii()):
        raise EngineError("invalid_url", f"expected a folder and a sender in printable characters, got {url!r}")
    seconds = settings.feed_timeout.total_seconds()
    budget = Budget(time.monotonic() + seconds, settings.feed_bytes + _LARGEST)
    try:
        tls = ssl.create_default_context()
        is_tls = mailbox.security == "tls"
        with closing(_Encrypted(mailbox, budget, ssl_context=tls) if is_tls else _Folder(mailbox, budget)) as imap:
            imap.log_in(mailbox)
            validity = imap.examine(folder)
            known, _, last = (mark or "").rpartition(":")
            is_known = known == validity and last.isdecimal()
            uids = imap.after(int(last) if is_known else 0, sender)
            most = settings.max_entries
            bodies = _bodies(imap, uids[:most] if is_known else uids[-most:], budget, seconds / 2)
    except EngineError:
        raise
    except TimeoutError:
        raise EngineError("timeout", f"{mailbox.host} took longer than {seconds:g} s") from None
    except Exception as error:  # noqa: BLE001 (any type, because imaplib was not written for hostile servers)
        hint = "; a server that begins in the clear needs security: starttls" if "WRONG_VERSION" in str(error) else ""
        said = one_line(str(error).replace(mailbox.password.get_secret_value(), "…") or type(error).__name__, 200)
        raise EngineError("fetch_failed", f"{mailbox.host}: {said}{hint}") from None  # the cause may hold the password
    items = [_item(body, f"{url}#{uid}") for uid, body in bodies if body]
    told = {"etag": f"{validity}:{bodies[-1][0] if bodies else last if is_known else 0}", "not_modified": not items}
    return ContentSource(id=url, url=url, name=sender or folder, source_type="blog", items=items[::-1], **told)


def _bodies(imap: _Folder, uids: Sequence[int], budget: Budget, spare: float) -> list[tuple[int, bytes | EngineError]]:
    """Return the messages, and an error for each message that the server refused before it sent a later one."""
    found: list[tuple[int, bytes | EngineError]] = []
    for uid in uids:
        try:
            if found and (budget.remaining() < spare or budget.received > budget.raw_bytes - _LARGEST):
                break
            found.append((uid, imap.message(uid)))
        except Exception:
            if not found:
                raise
            break
    while found and isinstance(refused := found[-1][1], EngineError):
        if len(found) == 1:
            raise refused
        found.pop()
    return found


def _shown(said: bytes | tuple[bytes, ...] | None) -> str:
    return one_line(said.decode(errors="replace") if isinstance(said, bytes) else repr(said), 200)


def _item(body: bytes | EngineError, name: str) -> ContentItem:
    try:
        if isinstance(body, EngineError):
            raise body
        return read_message(body)
    except EngineError as error:
        if error.transient:
            raise
        return ContentItem(id=name, title=one_line(f"A message that cannot be read: {name} ({error})"))


class _Folder(imaplib.IMAP4):
    """Connects to an IMAP server, within a limit of time and bytes."""

    def __init__(self, mailbox: Mailbox, budget: Budget, **tls: Any) -> None:
        self._budget = budget
        super().__init__(mailbox.host, mailbox.port, timeout=budget.remaining(), **tls)

    def close(self) -> None:  # type: ignore[override]
        with suppress(OSError):
            self.shutdown()

    def log_in(self, mailbox: Mailbox) -> None:
        """Log in over an encrypted connection, unless the mailbox's ``security`` is ``none``."""
        if mailbox.security == "starttls":
            self.starttls(ssl.create_default_context())
        try:
            self.login(_quoted(mailbox.user), mailbox.password.get_secret_value())
        except self.abort:
            raise
        except self.error:  # the message of the error may contain the password
            raise EngineError("forbidden", f"{mailbox.host} refuses the login of {mailbox.user}") from None

    def read(self, size: int) -> bytes:
        self._budget.count(size)
        self.sock.settimeout(self._budget.remaining())
        return super().read(size)

    def readline(self) -> bytes:
        self.sock.settimeout(self._budget.remaining())
        line = super().readline()
        self._budget.count(len(line))
        return line

    def examine(self, folder: str) -> str:
        """Open a folder read-only. Returns its UIDVALIDITY, which changes when the server renumbers the folder."""
        encoded = re.sub(r"&|[^ -~]+", _utf7, folder)
        state, said = self.select(_quoted(encoded), readonly=True)
        if state != "OK":
            raise EngineError("not_found", f"{self.host} opens no folder {folder!r}: {_shown(said[-1])}")
        validity = self.response("UIDVALIDITY")[1][-1]
        return validity.decode() if validity and validity.isdigit() else "0"

    def after(self, last: int, sender: str) -> list[int]:
        """Return the UIDs after ``last``, in order. If ``sender`` is not empty, leave out other senders' messages."""
        who = ("FROM", _quoted(sender)) if sender else ()
        found = self.uid("SEARCH", "UNDELETED", *who, "UID", f"{last + 1}:*")[1]
        uids = {int(one) for part in found if part for one in part.split() if one.isdigit()}
        return sorted(uid for uid in uids if uid > last)  # a range with * always has the last message

    def message(self, uid: int) -> bytes | EngineError:
        """Return the beginning of a message, empty bytes if it was deleted, or an error if the server refuses it."""
        state, parts = self.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{_LARGEST}>)")
        if state == "NO":
            return EngineError("unreadable", f"{self.host} refuses message {uid}: {_shown(parts[-1])}")
        for part in parts:
            if isinstance(part, tuple) and b"BODY[]" in part[0].upper():
                return bytes(part[1])
        if parts != [None]:
            raise self.error(f"expected message {uid}, got an answer without one")
        return b""


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _utf7(match: re.Match[str]) -> str:
    """Encode the matched characters in modified UTF-7 (RFC 3501, section 5.1.3)."""
    encoded = base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
    return "&-" if match[0] == "&" else f"&{encoded}-"


class _Encrypted(_Folder, imaplib.IMAP4_SSL):
    """Uses TLS from the first byte of the connection."""
