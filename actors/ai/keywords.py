"""Whole-word keywords: ``rag`` is found in "RAG pipelines" and never in "storage"."""

import re
from functools import lru_cache

DEFAULT_KEYWORDS = tuple(
    """agent, agents, AI, API, benchmark, breaking change, CVE, database, deprecated, embedding, embeddings, GPU, inference,
    Kubernetes, latency, LLM, LLMs, migration, model, models, open source, performance, Postgres, PostgreSQL, Python, RAG,
    release, Rust, security, throughput, TypeScript, vector, vulnerability""".replace("\n    ", " ").split(", ")
)


def hits(text: str, keywords: tuple[str, ...]) -> list[str]:
    """The ``keywords`` that stand in ``text`` as whole words, in any case, in their given order."""
    lower = text.lower()
    return [keyword for keyword in keywords if _may_be_in(keyword, lower) and _pattern(keyword).search(text)]


def _may_be_in(keyword: str, lower: str) -> bool:
    """Whether the keyword's first word is anywhere in the text. This check is cheap, and spares most searches by pattern."""
    first = keyword.lower().split(maxsplit=1)
    return bool(first) and first[0] in lower


@lru_cache(maxsize=1024)
def _pattern(keyword: str) -> re.Pattern[str]:
    inner = r"[\s-]+".join(re.escape(part) for part in keyword.split())
    return re.compile(rf"(?<!\w){inner}(?!\w)", re.IGNORECASE)
