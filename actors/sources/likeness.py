"""Compares texts: a hash finds equal texts, and MinHash over 5-word shingles finds nearly equal texts."""

import hashlib

from actors.ai.words import is_unspaced
from actors.engine.text import words_of

SHINGLE = 5
BINS = 128
ROWS = 3  # with a Jaccard similarity of .5, two texts share one of 42 bands with probability .996
_EMPTY = (1 << 63) - 1


def words(text: str) -> list[str]:
    """Return the words by which a text is compared. A Chinese character is one word."""
    found = words_of(text)
    if not is_unspaced(" ".join(found)):
        return found
    return [part for word in found for part in (word if is_unspaced(word) else (word,))]


def text_hash(text: str) -> str:
    """Return the SHA-256 of the text's words. Case, punctuation, white space and the width of letters are ignored."""
    return hashlib.sha256(" ".join(words(text)).encode("utf-8", "surrogatepass")).hexdigest()


def shingles(text: str) -> set[int]:
    """Return 63-bit hashes of all runs of five words. If a text has fewer words, return one hash of all words."""
    parts = words(text)
    count = max(1, len(parts) - SHINGLE + 1)
    runs = zip(*(parts[place : place + count] for place in range(min(SHINGLE, len(parts)))), strict=True)
    return set(map(_hash, map(" ".join, runs)))


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def bands(found: set[int]) -> list[int]:
    """Return hashes of the bands of a one-permutation MinHash. Two texts are compared only if they have a common band.

    An empty text has no bands. The MinHash signature has the smallest hash of each of 128 bins; an empty bin takes the
    hash of a full bin (Li, Owen, Zhang 2012; Shrivastava 2017).
    """
    if not found:
        return []
    bins = [_EMPTY] * BINS
    for value in found:
        place = value % BINS
        bins[place] = min(bins[place], value // BINS)
    signed = bins.copy()
    for place in range(BINS):
        attempt = 0
        while signed[place] == _EMPTY:
            attempt += 1
            signed[place] = bins[_hash(f"{place} {attempt}") % BINS]
    return [_hash(f"{start} {signed[start : start + ROWS]}") for start in range(0, BINS - ROWS + 1, ROWS)]


def jaccard(one: set[int], other: set[int]) -> float:
    """Return the Jaccard similarity of two sets of shingles, from 0 to 1. The similarity is 0 if a set is empty."""
    return len(one & other) / len(one | other) if one and other else 0.0
