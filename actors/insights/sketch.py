"""Computes the terms by which stories of one event are found: a sample of word pairs, which similar texts share."""

from hashlib import blake2b
from itertools import pairwise

from actors.ai.words import content_words, is_unspaced

SIZE = 40
_GROUP = 4


def sketch(text: str) -> list[int]:
    """Return at most 40 terms of a text as 63-bit hashes. The bottom-k sketch gives similar texts the same terms.

    A term is a pair of words without stop words, or four letters of an unspaced script; in short texts also a word.
    """
    words = content_words(text)
    groups = {
        word[at : at + _GROUP] for word in words if is_unspaced(word) for at in range(max(1, len(word) - _GROUP + 1))
    }
    pairs = {f"{first} {second}" for first, second in pairwise(words)}
    kept = _least(pairs | groups, SIZE)
    return kept if len(kept) == SIZE else [*kept, *_least(set(words), SIZE - len(kept))]


def _least(terms: set[str], most: int) -> list[int]:
    hashes = {blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest() for term in terms}
    return [int.from_bytes(one, "big") >> 1 for one in sorted(hashes)[:most]]
