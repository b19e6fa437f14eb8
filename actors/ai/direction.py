"""Whether two sentences contradict each other about a movement: one has only a rise, the other only a fall."""

from __future__ import annotations

import re

_UP = re.compile(
    r"\b(?:ris(?:es?|en|ing)|rose|up|gain(?:s|ed)?|gr[eo]w(?:s|n|th)?|jump(?:s|ed)?|surg(?:es?|ed)|soar(?:s|ed)?|climb(?:s|ed)?"
    r"|increas(?:es?|ed)|higher|rall(?:y|ies|ied)|steig\w*|gestiegen|wächst|gewachsen|hausse|augment\w+|grimpe\w*|sube|suben|subi\w+"
    r"|aument\w+|crec\w+|cresc\w+|sobe|sobem|ros(?:ną|nie|ła|ł)|wzr\w+|stijg\w*|расте\w*|вырос\w*)\b|上昇|増加|上涨|增长",
    re.IGNORECASE,
)
_DOWN = re.compile(
    r"\b(?:fall(?:s|en|ing)?|fell|drop(?:s|ped)?|plung(?:es?|ed)|s[iau]nk(?:s|en)?|slump(?:s|ed)?|slid(?:es?)?|tumbl(?:es?|ed)|declin(?:es?|ed)"
    r"|decreas(?:es?|ed)|lower|down|miss(?:es|ed)?|shr[aiu]nk(?:s|en)?|fällt|gefallen|sinkt|gesunken|rückgang|baiss\w+|chut\w+|recul\w*"
    r"|baja|bajan|bajó|cae|caen|cayó|caída|descien\w+|cala|calo|crolla\w*|scende|cai|caem|queda|spad\w+|daal\w*|пада\w*|упал\w*)\b"
    r"|下落|減少|下跌|减少",
    re.IGNORECASE,
)


def opposes(text: str, other: str) -> bool:
    """Whether one text has only a rise and the other only a fall."""
    ways = [(bool(_UP.search(one)), bool(_DOWN.search(one))) for one in (text, other)]
    return sorted(ways) == [(False, True), (True, False)]
