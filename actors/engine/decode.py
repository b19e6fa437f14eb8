"""Decodes a body's Content-Encoding within a bound of memory."""

from __future__ import annotations

import zlib

from actors.engine.contract import EngineError

_GZIP = 16 + zlib.MAX_WBITS
_STEP = 256 * 1024
_LARGEST = 64 * 1024 * 1024


class Decoder:
    """Collects a body chunk by chunk; a small body that inflates to a huge one ends at ``limit``.

    Args:
        encoding: The Content-Encoding header.
        limit: Most decoded bytes.

    Raises:
        EngineError: ``unsupported_type``, an encoding that was not requested.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise EngineError("unsupported_type", f"expected gzip or no encoding, got {encoding!r}")
        self._limit = limit
        self._name = name
        self._inflater = None if name in {"", "identity"} else zlib.decompressobj(_GZIP)
        self._started = False
        self.body = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Add a chunk as received.

        Raises:
            EngineError: ``too_large``, or ``fetch_failed`` if the chunk does not fit the header.
        """
        if self._inflater is None:
            self._append(chunk)
            return
        if not self._started and chunk:
            self._start(chunk)
        while chunk:
            self._append(self._inflate(chunk))
            chunk = self._rest()

    def _start(self, chunk: bytes) -> None:
        self._started = True
        if self._name == "deflate":
            # Both forms are in use: with the zlib header (RFC 9110) and without.
            head = int.from_bytes(chunk[:2], "big")
            has_header = chunk[0] & 0x0F == zlib.DEFLATED and (len(chunk) == 1 or head % 31 == 0)
            self._inflater = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)

    def _inflate(self, chunk: bytes) -> bytes:
        assert self._inflater is not None
        try:
            return self._inflater.decompress(chunk, _STEP)
        except zlib.error as error:
            raise EngineError("fetch_failed", f"the body is not valid {self._name}: {error}") from error

    def _rest(self) -> bytes:
        assert self._inflater is not None
        if self._inflater.unconsumed_tail:
            return self._inflater.unconsumed_tail
        if self._inflater.eof and (rest := self._inflater.unused_data).startswith(b"\x1f\x8b"):
            self._inflater = zlib.decompressobj(_GZIP)  # a further gzip member
            return rest
        return b""  # zero padding and other bytes after the end are ignored

    def _append(self, data: bytes) -> None:
        self.body += data
        if len(self.body) > self._limit:
            raise EngineError("too_large", f"the body is larger than {self._limit} bytes")

    def finish(self) -> bytes:
        """Return the whole body.

        Raises:
            EngineError: ``fetch_failed``, the body ended in the middle.
        """
        if self._inflater is not None and self._started:
            self._append(self._inflater.flush())
            if not self._inflater.eof:
                raise EngineError("fetch_failed", f"the {self._name} body ended in the middle")
        return bytes(self.body)


def unpacked(body: bytes) -> bytes:
    """The bytes without the gzip around them: some servers send a packed file without saying so.

    Raises:
        EngineError: ``too_large``, or ``fetch_failed`` for bytes that only begin like gzip.
    """
    if not body.startswith(b"\x1f\x8b"):
        return body
    decoder = Decoder("gzip", _LARGEST)
    decoder.feed(body)
    return decoder.finish()
