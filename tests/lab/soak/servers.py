"""Servers on loopback stand in for the sites and the model, and run the Engine. A share of their answers are faults."""

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any

from actors.engine import Settings
from actors.engine.contract import EngineError
from actors.engine.local import LocalEngine
from actors.engine.server import EngineServer
from tests.actors.ai.provider import checks_of
from tests.actors.scripted_site import Answer, Asked, Loopback, as_json, page
from tests.lab.soak.news import Item, News

_LATER = {"Retry-After": "1"}
_CUT = {"Content-Length": "2000", "Connection": "close"}  # The connection ends in the middle of the body.
_FAULTS = (
    Answer("oops", 500),
    Answer("bad gateway", 502),
    Answer("slow down", 503, headers=_LATER),
    Answer("slow down", 429, headers=_LATER),
    Answer("<html><body><p>The beginning of something." * 20, headers=_CUT),
    None,
)
_WALL = (
    "<p>The first two sentences are free to read for everybody who comes here. The rest of it is not.</p>"
    "<p>Subscribe to continue reading this story.</p>"
)
_BAD_PAGES = {
    "image": Answer(b"\x89PNG", content_type="image/png"),
    "wall": Answer(page("For subscribers", _WALL)),
    "short": Answer(page("Short", "<p>There is little to say about it.</p>")),
    "removed": Answer(status=410),
    "missing": Answer(status=404),
}


class Faulty(Loopback):
    """A random share of requests gets one of the faults in ``ways`` as its answer; None stands for no answer."""

    def __init__(self, share: float, seed: int, ways: Sequence[Answer | None]) -> None:
        self._share, self._ways, self._chance = share, ways, random.Random(seed)
        self.faults = 0
        self.lock = Lock()
        super().__init__()

    def respond(self, asked: Asked) -> Answer | None:
        with self.lock:
            if self._chance.random() < self._share:
                self.faults += 1
                return self._chance.choice(self._ways)
        return self.answer(asked)

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError


class Sites(Faulty):
    host = "0.0.0.0"  # Each feed has another address below 127.1.

    def __init__(self, share: float, count: int, per_feed: int, seed: int) -> None:
        super().__init__(share, seed, _FAULTS)
        port = self.url.rpartition(":")[2]
        hosts = [f"http://127.1.{n // 250}.{n % 250 + 1}:{port}" for n in range(count)]
        self.news = News(hosts, per_feed, seed)

    def answer(self, asked: Asked) -> Answer:
        url = f"http://{asked.headers['host']}{asked.path}".partition("?")[0]
        if url in self.news.feeds:
            headers = {"ETag": f'"{self.news.seed}"'}
            return Answer(self.news.feed(url), content_type="application/rss+xml", headers=headers)
        item = self.news.pages.get(url, Item("", url, "missing"))
        if item.kind == "good":
            return Answer(self.news.page(item))
        return Answer(status=302, headers={"Location": url}) if item.kind == "loop" else _BAD_PAGES[item.kind]


class FaultyEngine:
    """The Engine fails at random: with a reason, or by closing the connection without an answer."""

    def __init__(self, share: float, seed: int) -> None:
        settings = Settings.model_validate({"allow_networks": ["127.0.0.0/8"], "contact": "https://soak.example"})
        self._engine, self._share, self._chance = LocalEngine(settings), share, random.Random(seed)

    def __getattr__(self, name: str) -> Any:
        lot = self._chance.random()
        if lot < self._share / 2:
            raise EngineError("engine_failed", "the Engine has a bad moment")
        if lot < self._share:
            raise ConnectionAbortedError("the Engine broke off")
        return getattr(self._engine, name)


@contextmanager
def engine(share: float, seed: int) -> Iterator[str]:
    """Serve the Engine during the ``with`` block, and yield its address."""
    faulty: Any = FaultyEngine(share, seed)
    with EngineServer(faulty, port=0) as serving:
        Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()


MODEL, EMBEDDING = "model-1", "embedding-1"
PRICES = {MODEL: {"input": 0.4, "output": 1.6}, EMBEDDING: {"input": 0.02}}


def _error(status: int, **headers: str) -> Answer:
    return as_json({"error": {"message": "not now"}}, status, **headers)


def _completion(content: str, reason: str = "stop", tokens: int = 1) -> Answer:
    choices = [{"message": {"content": content}, "finish_reason": reason}]
    usage = {"prompt_tokens": tokens, "completion_tokens": len(content) // 4}
    return as_json({"model": f"{MODEL}-2026", "choices": choices, "usage": usage})


_MODEL_FAULTS = (
    _error(429, **{"Retry-After": "0.5"}),
    _error(429, **{"x-ratelimit-reset-requests": "300ms"}),
    _error(500),
    _error(503),
    None,
    Answer("{" * 1000, 200, "application/json", {"Content-Length": "2000", "Connection": "close"}),
    _completion('{"why_it', "length"),
    _completion("I think that it matters."),
)


class Model(Faulty):
    """``asked`` counts questions and texts sent for embedding, as ai_calls does; ``wrong`` lists schemas refused here."""

    def __init__(self, share: float, seed: int) -> None:
        self.asked = 0
        self.wrong: list[str] = []
        super().__init__(share, seed, _MODEL_FAULTS)

    def respond(self, asked: Asked) -> Answer | None:
        texts = json.loads(asked.body).get("input")
        with self.lock:
            self.asked += len(texts) if isinstance(texts, list) else 1
        return super().respond(asked)

    def answer(self, asked: Asked) -> Answer:
        body = json.loads(asked.body)
        if asked.path.endswith("/embeddings"):
            return _embeddings(body["input"])
        schema = body["response_format"]["json_schema"]
        if not schema["strict"] or sorted(schema["schema"]["required"]) != sorted(schema["schema"]["properties"]):
            self.wrong.append(schema["name"])
            return _error(400)
        return _completion(json.dumps(_said(body)), tokens=len(asked.body) // 4)


def _said(body: dict[str, Any]) -> dict[str, Any]:
    """Quote sentences of the story as the schema requires. If asked to verify, accept each statement, citing itself."""
    properties = body["response_format"]["json_schema"]["schema"]["properties"]
    if "checks" in properties:
        return checks_of(body["messages"][1]["content"], lambda text: (True, [text]))
    _, _, story = body["messages"][1]["content"].partition("\n\n")
    paragraph = next(line for line in story.split("\n") if line.strip() and not line.startswith("#"))
    sentences = [sentence.strip() + "." for sentence in paragraph.split(". ") if sentence.strip(" .")][:3]
    first = " ".join(sentences[0].split()[:12])
    one, two, three = (sentences * 3)[:3]
    told: dict[str, Any] = {"why_it_matters": one, "chili": 3, "confidence": 0.8, "quotes": [first, "never said"]}
    told |= {"one_liner": first, "two_liner": f"{one} {two}", "elevator": f"{one} {two} {three}"}
    told |= {"summary": " ".join(sentences), "quote": first, "other": 0, "other_quote": ""}
    return {name: told[name] for name in properties}


def _embeddings(asked: str | list[str]) -> Answer:
    """Make vectors from the first words of the texts, so that only texts with the same beginning are near."""
    texts = [asked] if isinstance(asked, str) else asked
    chances = [random.Random(hashlib.sha256(text[:400].encode()).digest()) for text in texts]
    vectors = [[round(chance.uniform(-1, 1), 6) for _ in range(1536)] for chance in chances]
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return as_json({"model": EMBEDDING, "data": data, "usage": {"prompt_tokens": 200 * len(texts)}})
