"""``python -m tests.lab.soak.model PORT SEED SHARE`` serves a model that quotes the story and checks schemas."""

import asyncio
import hashlib
import json
import random
import sys
from typing import Any

from tests.lab.soak.web import Answer, Faults, Request, serve

MODEL, EMBEDDING = "model-1", "embedding-1"
PRICES = {MODEL: {"input": 0.4, "output": 1.6}, EMBEDDING: {"input": 0.02}}


def _error(status: int, **headers: str) -> Answer:
    return Answer(status, b'{"error": {"message": "not now"}}', "application/json", headers)


def _completion(content: str, reason: str = "stop", tokens: int = 0) -> Answer:
    body = {
        "model": f"{MODEL}-2026",
        "choices": [{"message": {"content": content}, "finish_reason": reason}],
        "usage": {"prompt_tokens": tokens or 1, "completion_tokens": len(content) // 4},
    }
    return Answer(body=json.dumps(body).encode(), content_type="application/json")


_WAYS = [
    _error(429, **{"Retry-After": "0.5"}),
    _error(429, **{"x-ratelimit-reset-requests": "300ms"}),
    _error(500),
    _error(503),
    Answer(silent=True),
    Answer(200, b"{" * 2000, "application/json", cut=True),
    _completion('{"why_it', "length"),
    _completion("I think that it matters."),
]


class Model:
    """The model answers questions and embeds texts; ``asked`` counts the ledger rows that its calls need."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.asked = {"/v1/chat/completions": 0, "/v1/embeddings": 0}
        self.wrong: list[str] = []

    async def answer(self, request: Request) -> Answer:
        """Answer with quotations from the story, and fail now and then."""
        if request.path == "/counts":
            counts = {"asked": sum(self.asked.values()), "wrong": self.wrong, "faults": self._faults.count}
            return Answer(body=json.dumps(counts).encode())
        body = json.loads(request.body)
        texts = body.get("input")
        self.asked[request.path] += len(texts) if isinstance(texts, list) else 1
        fault = self._faults.strike()
        if fault is not None:
            return fault
        if request.path.endswith("/embeddings"):
            return _embeddings(body["input"])
        schema = body["response_format"]["json_schema"]
        if not schema["strict"] or sorted(schema["schema"]["required"]) != sorted(schema["schema"]["properties"]):
            self.wrong.append(schema["name"])
            return _error(400)
        return _completion(json.dumps(_said(body)), tokens=len(request.body) // 4)


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
    }
    return {name: told[name] for name in properties}


def _embeddings(asked: str | list[str]) -> Answer:
    """Make vectors from the first words of the texts, so that only texts with the same beginning are near."""
    texts = [asked] if isinstance(asked, str) else asked
    chances = [random.Random(hashlib.sha256(text[:400].encode()).digest()) for text in texts]
    vectors = [[round(chance.uniform(-1, 1), 6) for _ in range(1536)] for chance in chances]
    body = {
        "data": [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)],
        "usage": {"prompt_tokens": 200 * len(texts)},
    }
    return Answer(body=json.dumps({"model": EMBEDDING, **body}).encode(), content_type="application/json")


def main(port: int, seed: int, share: float) -> None:
    asyncio.run(serve(Model(Faults(share, seed, _WAYS)).answer, ["127.0.0.1"], port))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
