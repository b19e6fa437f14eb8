"""What the ledger is told of a provider's calls: the identity of a question, and the tokens and cost of an answer."""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeGuard

from actors.ai.openai.client import Reply
from actors.ai.openai.settings import OpenAISettings
from actors.ai.openai.wire import tokens
from actors.ai.prompting import visible

OVERHEAD_TOKENS = 64
"""Tokens that a provider adds around messages."""

_MOST_TOKENS = 100_000_000
_LONGEST_NAME = 200  # characters of a model's name


def key_of(*parts: Any) -> str:
    """The identity of a question: equal ones have equal answers."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def end_of(
    settings: OpenAISettings, model: str, reply: Reply, share: float = 1.0
) -> tuple[str, int | None, int | None, float | None, bool, int | None]:
    """The fields of a ``CallEnd`` after its detail: the model that answered, tokens, ``share`` of their cost, and the latency."""
    answered = visible(str(reply.body.get("model") or ""))[:_LONGEST_NAME] or model
    tokens_in, tokens_out = tokens(reply.body.get("usage"))
    if not (_is_count(tokens_in) and _is_count(tokens_out)):
        return answered, None, None, None, True, reply.latency_ms
    cost = settings.cost(model, tokens_in, tokens_out)
    return answered, tokens_in, tokens_out, None if cost is None else share * cost, True, reply.latency_ms


def _is_count(tokens: Any) -> TypeGuard[int]:
    """Whether a value is a number of tokens. It is checked because money is computed from the provider's report."""
    return isinstance(tokens, int) and not isinstance(tokens, bool) and 0 <= tokens <= _MOST_TOKENS
