"""Whole-word keywords: ``rag`` is found in "RAG pipelines" and never in "storage"."""

from __future__ import annotations

import re
from functools import lru_cache

DEFAULT_KEYWORDS = (
    "agent",
    "agents",
    "AI",
    "API",
    "benchmark",
    "breaking change",
    "CVE",
    "database",
    "deprecated",
    "embedding",
    "embeddings",
    "GPU",
    "inference",
    "Kubernetes",
    "latency",
    "LLM",
    "LLMs",
    "migration",
    "model",
    "models",
    "open source",
    "performance",
    "Postgres",
    "PostgreSQL",
    "Python",
    "RAG",
    "release",
    "Rust",
    "security",
    "throughput",
    "TypeScript",
    "vector",
    "vulnerability",
)


def hits(text: str, keywords: tuple[str, ...]) -> list[str]:
    """Which of ``keywords`` stand in ``text`` as whole words, in any case, in their given order."""
    return [keyword for keyword in keywords if _pattern(keyword).search(text)]


@lru_cache(maxsize=1024)
def _pattern(keyword: str) -> re.Pattern[str]:
    inner = r"[\s-]+".join(re.escape(part) for part in keyword.split())
    return re.compile(rf"(?<!\w){inner}(?!\w)", re.IGNORECASE)
