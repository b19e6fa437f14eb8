"""Decodes a body's Content-Encoding within a bound of memory."""

import zlib
from collections.abc import Iterable

from actors.engine.contract import EngineError

_GZIP = b"\x1f\x8b"
_EITHER = 32 + zlib.MAX_WBITS  # the header of gzip or of zlib, which the encoding deflate has (RFC 9110)
_MOST_MEMBERS = 100
_LARGEST = 64 * 1024 * 1024


def decoded(chunks: Iterable[bytes], encoding: str, limit: int) -> bytes:
    """The whole body of chunks as received, which the caller bounds; one that inflates to more than ``limit`` bytes ends there.

    Raises:
        EngineError: ``unsupported_type``, an encoding that was not requested; ``too_large``; ``fetch_failed`` if the body does
            not fit its encoding, or ends in the middle.
    """
    name = encoding.strip().lower() or "identity"
    if name not in {"identity", "gzip", "x-gzip", "deflate"}:
        raise EngineError("unsupported_type", f"expected gzip or no encoding, got {encoding!r}")
    left = b"".join(chunks)
    body, left = (left, b"") if name == "identity" else (b"", left)
    members = 0
    while left and len(body) <= limit:
        inflater = zlib.decompressobj(_EITHER)
        try:
            body += inflater.decompress(left, limit + 1 - len(body))
        except zlib.error as error:
            raise EngineError("fetch_failed", f"the body is not valid {name}: {error}") from error
        if len(body) <= limit and not inflater.eof:
            raise EngineError("fetch_failed", f"the {name} body ended in the middle")
        if (members := members + 1) > _MOST_MEMBERS:  # the rest is copied with each of them
            raise EngineError("fetch_failed", f"the {name} body has more than {_MOST_MEMBERS} members")
        # A further member may follow; zero padding and other bytes after the end are ignored.
        left = inflater.unused_data if inflater.unused_data.startswith(_GZIP) else b""
    if len(body) > limit:
        raise EngineError("too_large", f"the body is larger than {limit} bytes")
    return body


def unpacked(body: bytes) -> bytes:
    """The bytes without the gzip around them: some servers send a packed file without saying so."""
    return decoded([body], "gzip", _LARGEST) if body.startswith(_GZIP) else body
