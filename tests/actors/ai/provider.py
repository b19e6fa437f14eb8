"""This fake provider embeds texts, answers questions, runs batches, and fails when a test asks for it."""

import json
import re
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from psycopg2.extensions import connection as Connection

from tests.actors.database import add_story
from tests.actors.scripted_site import Answer, Asked, Loopback
from tests.fleet import ROOT

_SIGNED = "The registry now signs every package of series {number} that a maintainer uploads."
_STOLEN = "A stolen token alone is not enough any more."
TEXT = f"{_SIGNED} {_STOLEN}"
_NUMBER = re.compile(r"Title: Story (\d+)")


def number_of(text: str) -> int:
    found = _NUMBER.search(text)
    assert found is not None, text
    return int(found[1])


def said(operation: str, asked: str) -> dict[str, Any]:
    """Answer a question correctly; the answers to different operations differ, so that each needs a verification."""
    signed = _SIGNED.format(number=7919 * number_of(asked))
    if operation == "analyze":
        return {"why_it_matters": _STOLEN, "chili": 3, "confidence": 0.8, "quotes": [_STOLEN]}
    if operation == "brief":
        return dict.fromkeys(("one_liner", "two_liner", "elevator"), signed)
    if operation == "summarize":
        return {"summary": f"{signed} {_STOLEN}"}
    if operation == "same_event":
        return {"quote": "", "other": 0, "other_quote": ""}
    return checks_of(asked, lambda text: (True, [text]))


def checks_of(asked: str, judge: Callable[[str], tuple[bool, list[str]]]) -> dict[str, Any]:
    """Answer a verification; ``judge`` says whether a statement follows from the story, and from which sentences."""
    texts = [line.partition(". ")[2] for line in asked.rpartition("Statements:\n")[2].splitlines()]
    judged = [(at, *judge(text)) for at, text in enumerate(texts, 1)]
    return {"checks": [{"statement": at, "follows": follows, "sentences": told} for at, follows, told in judged]}


class Gone(Exception):
    """The provider drops the connection without an answer."""


class Provider(Loopback):
    """This fake provider counts requests, and records the answers that a real provider would charge for."""

    root = "/v1"

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()  # requests by path
        self.texts: Counter[int] = Counter()  # vectors sent, by story
        self.refuses: Callable[[int], bool] = lambda _: False  # by its number, whether a request for vectors gets 503
        self.leaves_out = False  # the vectors of stories 97, 194 and so on are missing
        self.spoils = 0  # requests with the text of this story get 400
        self.paid: Counter[tuple[str, int]] = Counter()  # charged answers, by operation and story
        self.halves: Counter[tuple[str, int]] = Counter()  # charged answers of batches
        self.has_batches = True
        self.batches: list[dict[str, Any]] = []  # the newest first, in the format of the provider
        # ``fate`` returns a batch's result for a story's questions: ok, error, expired, left out, twice or junk.
        self.fate: Callable[[int], str] = lambda _: "ok"
        self.looks: int | None = 2  # lists of batches before a batch ends; None: no batch ends
        self.strike: Callable[[str], None] = lambda _: None  # called with each finished request; may raise Gone
        self._files: dict[str, bytes] = {}
        self._seen: Counter[str] = Counter()
        self.lock = threading.RLock()
        super().__init__()

    def respond(self, asked: Asked) -> Answer | None:
        address = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        path = address.path.removeprefix("/v1")
        try:
            status, answer = self.answer(path, query, asked.body if asked.method == "POST" else None)
            self.strike(f"{asked.method} {path.strip('/').split('/')[-1]}")
        except Gone:
            return None
        return Answer(answer if isinstance(answer, bytes) else json.dumps(answer), status, "application/json")

    def answer(self, path: str, query: dict[str, str], body: bytes | None) -> tuple[int, Any]:
        """Return the status and the body of the answer to a request."""
        with self.lock:
            self.calls[path] += 1
            call = self.calls[path]
            if path.startswith(("/batches", "/messages/batches", "/files")):
                return self._batched(path, query, body)
        asked = json.loads(body or b"")
        if path == "/embeddings":
            return self._vectors(call, asked)
        return 200, self._completed(asked)

    def _completed(self, asked: dict[str, Any]) -> dict[str, Any]:
        answer = completion(asked)
        with self.lock:
            self.paid[operation_of(asked), number_of(text_of(asked))] += 1
        return answer

    def _batched(self, path: str, query: dict[str, str], body: bytes | None) -> tuple[int, Any]:
        parts = path.strip("/").split("/")
        if not self.has_batches:
            return 404, {"error": {"message": "not found"}}
        if path == "/files":
            return 200, {"id": self._file((body or b"").split(b"\r\n\r\n")[2].split(b"\r\n--")[0])}
        if parts[0] == "files":
            return 200, self._files[parts[1]]
        if parts[-1] == "batches":
            return 200, self._list(query) if body is None else self._create(parts[0] == "messages", json.loads(body))
        batch = next(one for one in self.batches if one["id"] == parts[-2])
        if parts[-1] == "results":
            return 200, self._files[batch["id"]]
        self._end(batch, is_cancelled=True)
        return 200, batch

    def _file(self, content: bytes) -> str:
        name = f"file-{len(self._files)}"
        self._files[name] = content
        return name

    def _create(self, is_anthropic: bool, given: dict[str, Any]) -> dict[str, Any]:
        batch: dict[str, Any] = {"id": f"batch_{len(self.batches)}"}
        if is_anthropic:
            self._files[f"asked {batch['id']}"] = json.dumps(given["requests"]).encode()
            batch["created_at"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
            batch |= {"processing_status": "in_progress", "request_counts": {"processing": len(given["requests"])}}
        else:
            lines = [json.loads(line) for line in self._files[given["input_file_id"]].splitlines()]
            asked = [{"custom_id": one["custom_id"], "params": one["body"]} for one in lines]
            assert given["endpoint"] == "/v1/chat/completions" == lines[0]["url"]
            assert len({one["params"]["model"] for one in asked}) == 1, "a batch has one model"
            self._files[f"asked {batch['id']}"] = json.dumps(asked).encode()
            batch |= {"status": "in_progress", "metadata": given["metadata"]}
        self.batches.insert(0, batch)
        return batch

    def _list(self, query: dict[str, str]) -> dict[str, Any]:
        after = query.get("after", query.get("after_id"))
        begin = next((at for at, one in enumerate(self.batches, 1) if one["id"] == after), 0)
        page = self.batches[begin : begin + int(query["limit"])]
        for batch in page:
            self._seen[batch["id"]] += 1
            if self.looks is not None and self._seen[batch["id"]] > self.looks:
                self._end(batch)
        return {"data": page, "has_more": begin + len(page) < len(self.batches)}

    def _end(self, batch: dict[str, Any], *, is_cancelled: bool = False) -> None:
        if batch.get("status") in {"completed", "cancelled"} or batch.get("processing_status") == "ended":
            return
        is_anthropic = "processing_status" in batch
        asked = json.loads(self._files[f"asked {batch['id']}"])
        lines = [line for one in asked for line in self._lines(one, is_anthropic, is_cancelled)]
        lines.insert(0, _line(is_anthropic, "11111111-1111-1111-1111-111111111111", {"made": "up"}))
        written = [b"no json", *(json.dumps(line).encode() for line in lines)]
        if is_anthropic:
            self._files[batch["id"]] = b"\n".join(written)
            batch |= {"processing_status": "ended", "request_counts": {"succeeded": len(asked)}}
        else:
            good = [line for line in written if b'"error"' not in line]
            bad = [line for line in written if b'"error"' in line]
            batch |= {"output_file_id": self._file(b"\n".join(good)), "error_file_id": self._file(b"\n".join(bad))}
            batch["status"] = "cancelled" if is_cancelled else "completed"

    def _lines(self, one: dict[str, Any], is_anthropic: bool, is_cancelled: bool) -> list[dict[str, Any]]:
        asked, name = one["params"], one["custom_id"]
        number = number_of(text_of(asked))
        fate = "expired" if is_cancelled else self.fate(number)
        if fate == "left out":
            return []
        if fate in {"error", "expired"}:
            return [_line(is_anthropic, name, None, fate)]
        answer = self._completed(asked)
        self.halves[operation_of(asked), number] += 1
        if fate == "junk":
            answer |= {"choices": [], "content": []}
        return [_line(is_anthropic, name, answer)] * (2 if fate == "twice" else 1)

    def _vectors(self, call: int, asked: dict[str, Any]) -> tuple[int, Any]:
        if self.refuses(call):
            return 503, {"error": {"message": "busy"}}
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        if self.spoils in map(number_of, texts):
            return 400, {"error": {"message": "one input cannot be read"}}
        data = list[dict[str, Any]]()
        for index, text in enumerate(texts):
            number = number_of(text)
            if self.leaves_out and number % 97 == 0:
                continue
            with self.lock:
                self.texts[number] += 1
            data.insert(0, {"index": index, "embedding": vector(number)})
        return 200, {"model": asked["model"], "data": data, "usage": {"prompt_tokens": 10 * len(texts)}}


def text_of(asked: dict[str, Any]) -> str:
    """Join the texts of a question's messages."""
    return "\n".join(one["content"] for one in asked["messages"])


def vector(number: int) -> list[float]:
    """Make a story's vector, which is as distant as possible from the vectors of all other stories."""
    return [1.0 if (number >> bit) & 1 else -1.0 for bit in range(16)]


def _line(is_anthropic: bool, name: str, answer: dict[str, Any] | None, fate: str = "ok") -> dict[str, Any]:
    """Write a line of a batch's results."""
    if not is_anthropic:
        if answer is None:
            return {"custom_id": name, "response": None, "error": {"code": f"batch_{fate}", "message": f"it {fate}"}}
        return {"custom_id": name, "response": {"status_code": 200, "body": answer}}
    if answer is None:
        told = {"type": "errored", "error": {"type": "error", "error": {"type": "api_error", "message": "it failed"}}}
        return {"custom_id": name, "result": told if fate == "error" else {"type": fate}}
    return {"custom_id": name, "result": {"type": "succeeded", "message": answer}}


def operation_of(asked: dict[str, Any]) -> str:
    system = asked["system"] if "system" in asked else asked["messages"][0]["content"]
    names = {"checks": "verify", "chili": "analyze", "one_liner": "brief", "other_quote": "same_event"}
    return next((name for word, name in names.items() if word in system), "summarize")


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    """Answer a question in the format of the API that the question uses."""
    content = json.dumps(said(operation_of(asked), text_of(asked)))
    if "system" in asked:
        answer: dict[str, Any] = {"content": [{"type": "text", "text": content}], "stop_reason": "end_turn"}
    else:
        answer = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    return {"model": asked["model"], **answer, "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}


UNFINISHED = "SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')"
PRICES = {"m": {"input": 1.0, "output": 10.0}, "e": {"input": 0.1}}


def jobs_yaml(url: str, tasks: dict[str, dict[str, Any]], **ai: Any) -> str:
    """Return the shipped jobs.yaml without fetching, scores, digests and crons; override ``tasks`` and service ``ai``."""
    text: dict[str, Any] = yaml.safe_load((ROOT / "jobs.yaml").read_text())
    openai = {"base_url": url, "model": "m", "embedding_dimensions": 16, "prices": PRICES, **ai.pop("openai")}
    text["services"]["ai"] |= {"provider": "openai", "openai": openai, **ai}
    left_out = ("ingest-", "fetch-", "deliver-digest", "score-", "dedupe-", "stories-")
    text["tasks"] = {name: task for name, task in text["tasks"].items() if not name.startswith(left_out)}
    for name, task in text["tasks"].items():
        task.pop("cron", None)
        task.update(tasks.get(name, {}))
    return json.dumps(text)  # JSON is YAML without anchors.


def add_stories(conn: Connection, count: int) -> list[str]:
    """Add stories with the titles that the provider expects, ten days apart; return their ids, from story 1 on."""
    source = uuid.uuid4()
    stories = enumerate([TEXT.format(number=7919 * number) for number in range(1, count + 1)], 1)
    return [str(add_story(conn, one, source=source, title=f"Story {at}", days_old=10 * at)) for at, one in stories]
