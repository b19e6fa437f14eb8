"""Words for numbers, scales, shares and units in several languages, from ``units.txt``."""

from importlib.resources import files

WORDS: dict[str, float] = {}
SCALES: dict[str, float] = {}
FRACTIONS: dict[str, float] = {}  # shares in per cent by word
_UNITS: dict[str, tuple[str, float]] = {}
_TABLES = {"number": WORDS, "scale": SCALES, "share": FRACTIONS}

for _line in (files("actors.ai.gate") / "units.txt").read_text(encoding="utf-8").splitlines()[1:]:
    _kind, _value, *_words = _line.split()
    for _word in _words:
        if _kind in _TABLES:
            _TABLES[_kind][_word] = float(_value)
        else:
            _UNITS.setdefault(_word, (_kind, float(_value)))


def unit(word: str) -> tuple[str, float]:
    """The kind and the factor of a unit, such as ``("s", 60.0)`` for a minute; the kind is empty if the word is not a unit."""
    return _UNITS.get(word.lower().rstrip(".²³"), ("", 1.0))
