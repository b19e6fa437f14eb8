"""The words that mark a sentence as a figure, a change, an instruction or a quotation.

They are English. In other languages only shares, quotations and code are found, and the sentences that ``actors.ai.ranking``
ranks without knowing the language.
"""

from __future__ import annotations

import re


def _alternatives(lines: str) -> str:
    return "|".join(line.strip() for line in lines.strip().splitlines())


_UNITS = _alternatives(r"""
    percent\b|percentage points\b|x\b|\u00d7|times\b|-fold\b|points?\b
    ms\b|milliseconds?\b|[u\u00b5\u03bc]s\b|ns\b|seconds?\b|s\b|minutes?\b|hours?\b|days?\b
    [KMGT]i?B(?:/s)?\b|bytes\b|joules?\b|watts?\b|\u00b0C\b
    (?:requests?|queries|tokens?|rows|jobs|messages|events|frames|inserts|calls)\b
    \w+(?:/s\b| (?:per|a|an) (?:second|minute|hour|day|month|token|answer|request|core)\b)
    (?:req|ops|rps|qps|fps)\b(?:/s)?
    million\b|billion\b|of (?:them|the)\b
""")
DIGIT = re.compile(r"\d")
SHARE = re.compile(r"\d\s?%")
QUANTITY = re.compile(rf"(?<![\w.])[$€£]?\d[\d,.\u202f]*\s?-?(?:%|{_UNITS})|[$€£]\d[\d,.]*", re.IGNORECASE)

_MEASURED = _alternatives(r"""
    faster|slower|quicker|smaller|larger|cheaper|less|fewer|more than|at most|as low as
    reduc\w+|cut|cuts|cutting|drop\w*|fell|falls?|shrank|shrinks?|decreas\w+|sav(?:es?|ed|ing)
    rose|rises?|grew|grows|increas\w+|improv\w+|win
    compared|versus|vs|down (?:from|to)|up from|from \S+ (?:\S+ )?to|brought \w+ (?:down )?to
    p50|p90|p95|p99|percentile|median|average\w*|peak|latency|throughput|overhead|accuracy|score[sd]?|benchmark\w*|measured
    handles?|processe[sd]|sustain\w*|took|takes|needs|needed|costs?|reached|throttled|converted|complete after|in a row|timed out
""")
MEASURED = re.compile(rf"\b(?:{_MEASURED})\b", re.IGNORECASE)

_CHANGED = _alternatives(r"""
    remov(?:ed?|es|al|ing)|renam(?:ed?|es|ing)|deprecat\w+|no longer|end[- ]of[- ]life
    now (?:requires?|returns?|accepts?|raises?|takes?|throws|defaults|expects|rejects|uses|answers?)|(?:must|may|can) now
    replaced (?:by|with)|breaking(?: change)?|drop(?:s|ped)? support
    defaults? (?:changes?|changed|is now)|(?:is|are|was) now
    changes? (?:its|their|the) (?:signature|default|type)|changed from
    new (?:required )?(?:parameter|argument|option|method|endpoint|field|flag|header|function)
    (?:adds?|added|introduces?|introduced|gains?|gained) (?:an?|the|support|optional|new)
""")
CHANGED = re.compile(rf"\b(?:{_CHANGED})\b", re.IGNORECASE)
BROKEN = re.compile(r"\b(?:breaking|deprecat|remov|no longer|renam|must now|now requires)", re.IGNORECASE)

_API = _alternatives(r"""
    APIs?|SDK|interface|tools?|endpoints?|methods?|functions?|constructor|callback|webhook|schema
    parameters?|arguments?|keyword|flags?|headers?|signature|return (?:type|value)
""")
API = re.compile(rf"`[^`]+`|\b(?:{_API})\b")

_IMPERATIVES = _alternatives(r"""
    upgrade|update|pin|set|run|enable|disable|migrate|avoid|check|replace|rotate|install|remove|switch|turn|back up
    audit|measure|start|stop|prefer|keep|make sure|test|review|patch|wrap|move|put|store|fetch|lock|plan|search|look
    sort|use|add|count|read|write|log|drop|delete|validate|verify|cache|batch|limit|obey|ask|call|choose|watch
""")
# A noun may look like a verb ("Search results are …"), so a real order is followed by one of these words.
_OBJECT = "the|an?|your|all|each|every|it|them|this|that|these|those|only|more|both|no|to|in|at|for|with|half"
_PLAIN_ORDERS = "do not|don't|always|upgrade|pin|rotate|enable|disable|avoid|migrate|install|prefer|make sure"
_NEVER = r"never (?!(?:before|again|in|has|have|had|did|was|were|been)\b)"
_CLAUSE = r"(?:And |But |So )?(?:If|When|Before|After|Once|Until|Where)\b[^.!?]{5,120}?, "
CONDITIONAL_ORDER = re.compile(rf"^{_CLAUSE}(?:(?:{_PLAIN_ORDERS}|{_IMPERATIVES}) |{_NEVER})", re.IGNORECASE)
_ORDER = rf"(?:{_PLAIN_ORDERS})\b|{_NEVER}|(?:{_IMPERATIVES}) (?:{_OBJECT})\b"
_OUGHT = _alternatives(r"""
    (?<!that )(?<!like )(?:you|users|teams|everyone) (?:should|must|have to)
    we (?:strongly )?recommend|(?:is|are) advised to
""")
INSTRUCTION = re.compile(rf"^(?:{_CLAUSE})?(?:{_ORDER})", re.IGNORECASE)
"""A step for the reader, such as ``Once it boils, add the salt``."""
DIRECTED = re.compile(rf"^(?:{_ORDER})|\b(?:{_OUGHT})\b", re.IGNORECASE)
REPLACE = re.compile(
    r"\b(?:replace|change|rename|swap|rewrite|turn)\b[^.]*`[^`]+`[^.]*\b(?:with|to|by|for|into)\b[^.]*`[^`]+`",
    re.IGNORECASE,
)

_SPEAKER = _alternatives(r"""
    said|says|wrote|writes|told|explain(?:s|ed)|add(?:s|ed)|argue[sd]|note[sd]|according to|warn(?:s|ed)
    put it|recall(?:s|ed)|commented|admit(?:s|ted)
""")
SPEAKER = re.compile(rf"\b(?:{_SPEAKER})\b", re.IGNORECASE)

_JUDGING_WORDS = """
    worse better best expensive free simple hard easy wrong mistake unknown enough trade
    nothing never only but not no without
"""
_JUDGING = frozenset(_JUDGING_WORDS.split())
_TOKEN = re.compile(r"\w+")


def judging(text: str) -> int:
    """The number of judging words in a sentence."""
    return sum(word in _JUDGING or word.startswith("cheap") for word in _TOKEN.findall(text.lower()))
