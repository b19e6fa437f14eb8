"""Decodes a body's Content-Encoding within a bound of memory."""

import zlib
from collections.abc import Iterable, Iterator

from actors.engine.contract import EngineError

_GZIP = b"\x1f\x8b"
_EITHER = 32 + zlib.MAX_WBITS  # the header of gzip or of zlib, which the encoding deflate has (RFC 9110)
_STEP = 256 * 1024
_LARGEST = 64 * 1024 * 1024


def decoded(chunks: Iterable[bytes], encoding: str, limit: int) -> bytes:
    """The whole body of chunks as received; a small body that inflates to a huge one ends at ``limit`` bytes.

    Raises:
        EngineError: ``unsupported_type``, an encoding that was not requested; ``too_large``; ``fetch_failed`` if the body does
            not fit its encoding, or ends in the middle.
    """
    name = encoding.strip().lower() or "identity"
    if name not in {"identity", "gzip", "x-gzip", "deflate"}:
        raise EngineError("unsupported_type", f"expected gzip or no encoding, got {encoding!r}")
    body = bytearray()
    for part in chunks if name == "identity" else _inflated(chunks, name):
        body += part
        if len(body) > limit:
            raise EngineError("too_large", f"the body is larger than {limit} bytes")
    return bytes(body)


def _inflated(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    inflater = None
    for chunk in chunks:
        left = chunk
        while left:
            inflater = inflater or zlib.decompressobj(_EITHER)
            try:
                yield inflater.decompress(left, _STEP)
            except zlib.error as error:
                raise EngineError("fetch_failed", f"the body is not valid {name}: {error}") from error
            left = inflater.unconsumed_tail
            # A further member may follow; zero padding and other bytes after the end are ignored.
            if inflater.eof and inflater.unused_data.startswith(_GZIP):
                left, inflater = inflater.unused_data, None
    if inflater is not None:
        yield inflater.flush()
        if not inflater.eof:
            raise EngineError("fetch_failed", f"the {name} body ended in the middle")


def unpacked(body: bytes) -> bytes:
    """The bytes without the gzip around them: some servers send a packed file without saying so.

    Raises:
        EngineError: ``too_large``, or ``fetch_failed`` for bytes that only begin like gzip.
    """
    return decoded([body], "gzip", _LARGEST) if body.startswith(_GZIP) else body
