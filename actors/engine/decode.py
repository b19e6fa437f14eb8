"""Decodes a body's Content-Encoding within a bound of memory."""

import zlib

from actors.engine.contract import EngineError

_GZIP = b"\x1f\x8b"
_EITHER = 32 + zlib.MAX_WBITS  # the header of gzip or of zlib, which the encoding deflate has (RFC 9110)
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
        self._name = encoding.strip().lower() or "identity"
        if self._name not in {"identity", "gzip", "x-gzip", "deflate"}:
            raise EngineError("unsupported_type", f"expected gzip or no encoding, got {encoding!r}")
        self._limit = limit
        self._inflater: zlib._Decompress | None = None
        self.body = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Add a chunk as received.

        Raises:
            EngineError: ``too_large``, or ``fetch_failed`` if the chunk does not fit the header.
        """
        if self._name == "identity":
            self._append(chunk)
            return
        while chunk:
            inflater = self._inflater = self._inflater or zlib.decompressobj(_EITHER)
            try:
                self._append(inflater.decompress(chunk, _STEP))
            except zlib.error as error:
                raise EngineError("fetch_failed", f"the body is not valid {self._name}: {error}") from error
            chunk = inflater.unconsumed_tail
            # A further member may follow; zero padding and other bytes after the end are ignored.
            if inflater.eof and inflater.unused_data.startswith(_GZIP):
                self._inflater, chunk = None, inflater.unused_data

    def _append(self, data: bytes) -> None:
        self.body += data
        if len(self.body) > self._limit:
            raise EngineError("too_large", f"the body is larger than {self._limit} bytes")

    def finish(self) -> bytes:
        """Return the whole body.

        Raises:
            EngineError: ``fetch_failed``, the body ended in the middle.
        """
        if self._inflater is not None:
            self._append(self._inflater.flush())
            if not self._inflater.eof:
                raise EngineError("fetch_failed", f"the {self._name} body ended in the middle")
        return bytes(self.body)


def unpacked(body: bytes) -> bytes:
    """The bytes without the gzip around them: some servers send a packed file without saying so.

    Raises:
        EngineError: ``too_large``, or ``fetch_failed`` for bytes that only begin like gzip.
    """
    if not body.startswith(_GZIP):
        return body
    decoder = Decoder("gzip", _LARGEST)
    decoder.feed(body)
    return decoder.finish()
