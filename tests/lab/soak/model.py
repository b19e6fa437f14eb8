"""A model quotes the story and checks schemas, and a share of its answers fails."""

import hashlib
import json
import random
from typing import Any

from tests.actors.scripted_site import Answer, Asked
from tests.lab.soak.site import Faulty

MODEL, EMBEDDING = "model-1", "embedding-1"
PRICES = {MODEL: {"input": 0.4, "output": 1.6}, EMBEDDING: {"input": 0.02}}


def _json(found: object, status: int = 200, **headers: str) -> Answer:
    return Answer(json.dumps(found), status, "application/json", headers)


def _error(status: int, **headers: str) -> Answer:
    return _json({"error": {"message": "not now"}}, status, **headers)


def _completion(content: str, reason: str = "stop", tokens: int = 1) -> Answer:
    return _json(
        {
            "model": f"{MODEL}-2026",
            "choices": [{"message": {"content": content}, "finish_reason": reason}],
            "usage": {"prompt_tokens": tokens, "completion_tokens": len(content) // 4},
        }
    )


_FAULTS = (
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
    """``asked`` counts the ledger rows that the calls need; ``wrong`` has the names of refused schemas."""

    def __init__(self, share: float, seed: int) -> None:
        self.asked = 0
        self.wrong: list[str] = []
        super().__init__(share, seed, _FAULTS)

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
    """Quote sentences of the story as the schema requires; each statement cites itself."""
    properties = body["response_format"]["json_schema"]["schema"]["properties"]
    if "checks" in properties:
        _, _, lines = body["messages"][1]["content"].rpartition("Statements:\n")
        shown = [line.partition(". ")[2] for line in lines.splitlines()]
        return {"checks": [{"statement": n, "follows": True, "sentences": [text]} for n, text in enumerate(shown, 1)]}
    _, _, story = body["messages"][1]["content"].partition("\n\n")
    paragraph = next(line for line in story.split("\n") if line.strip() and not line.startswith("#"))
    sentences = [sentence.strip() + "." for sentence in paragraph.split(". ") if sentence.strip(" .")][:3]
    first = " ".join(sentences[0].split()[:12])
    one, two, three = (sentences * 3)[:3]
    told = {
        "why_it_matters": one,
        "chili": 3,
        "confidence": 0.8,
        "quotes": [first, "never said"],
        "one_liner": first,
        "two_liner": f"{one} {two}",
        "elevator": f"{one} {two} {three}",
        "summary": " ".join(sentences),
        "quote": first,
        "other": 0,
        "other_quote": "",
    }
    return {name: told[name] for name in properties}


def _embeddings(asked: str | list[str]) -> Answer:
    """Make vectors from the first words of the texts, so that only texts with the same beginning are near."""
    texts = [asked] if isinstance(asked, str) else asked
    chances = [random.Random(hashlib.sha256(text[:400].encode()).digest()) for text in texts]
    vectors = [[round(chance.uniform(-1, 1), 6) for _ in range(1536)] for chance in chances]
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return _json({"model": EMBEDDING, "data": data, "usage": {"prompt_tokens": 200 * len(texts)}})
