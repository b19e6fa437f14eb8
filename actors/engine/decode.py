"""Decodes an HTTP body by its Content-Encoding, up to a maximum size."""

import zlib
from collections.abc import Iterable

from actors.engine.contract import EngineError

_GZIP = b"\x1f\x8b"
_EITHER = 32 + zlib.MAX_WBITS  # bits for a header of gzip or zlib, which deflate uses (RFC 9110)
_MOST_MEMBERS = 100


def decoded(chunks: Iterable[bytes], encoding: str, limit: int) -> bytes:
    """Return the decoded body. Raises EngineError: ``unsupported_type``, ``fetch_failed``, or ``too_large`` (over ``limit``)."""
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
        if (members := members + 1) > _MOST_MEMBERS:  # each member copies the rest of the body
            raise EngineError("fetch_failed", f"the {name} body has more than {_MOST_MEMBERS} members")
        # Another gzip member or padding may follow.
        left = inflater.unused_data if inflater.unused_data.startswith(_GZIP) else b""
    if len(body) > limit:
        raise EngineError("too_large", f"the body is larger than {limit} bytes")
    return body


def unpacked(body: bytes) -> bytes:
    """Return the body, unpacked if it is in gzip format. Some servers send a gzip file without declaring it."""
    return decoded([body], "gzip", 64 * 1024 * 1024) if body.startswith(_GZIP) else body
