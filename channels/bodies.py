"""Reading an answer's body: bounded while it comes in, unpacked, and in a charset that is true."""

from __future__ import annotations

import codecs
import zlib

import httpx

BODY_BYTES_MAX = 20_000_000
# What is asked for, so that nothing else has to be unpacked.
ENCODINGS = "gzip, deflate"
GZIP_FILE = b"\x1f\x8b"


class Unreadable(Exception):
    """The body is too long, breaks off, or is not what it says; the text says which."""


async def read(response: httpx.Response, *, bytes_max: int = BODY_BYTES_MAX) -> httpx.Response:
    """The same answer with its whole body, at most `bytes_max` bytes of it packed or unpacked.

    JSON comes out as UTF-8. Raises `Unreadable`, and what httpx raises when the connection ends.
    """
    try:
        content = await _whole(response, bytes_max)
    except Unreadable:
        # What an error's status says is enough.
        if not response.is_error:
            raise
        content = b""
    dropped = {"content-encoding", "content-length", "transfer-encoding"}
    return httpx.Response(
        response.status_code,
        headers=[pair for pair in response.headers.multi_items() if pair[0] not in dropped],
        content=content,
        request=response.request,
    )


async def _whole(response: httpx.Response, bytes_max: int) -> bytes:
    unpack = _Unpacking(response.headers.get("content-encoding", ""), bytes_max)
    packed = 0
    async for part in response.aiter_raw():
        packed += len(part)
        if packed > bytes_max:
            raise Unreadable(f"a body of more than {bytes_max} bytes")
        unpack.take(part)
    content = unpack.end()
    return (
        content if response.is_error else _text(content, response.headers.get("content-type", ""))
    )


class _Unpacking:
    """Unpacks a body part by part and never holds more than is allowed."""

    def __init__(self, encoding: str, bytes_max: int) -> None:
        name = encoding.strip().lower()
        if name not in {"", "identity", "gzip", "x-gzip", "deflate"}:
            raise Unreadable(f"a body packed as {encoding[:20]!r}, which was not asked for")
        # 32 finds out by itself whether it is gzip or zlib.
        packed = name not in {"", "identity"}
        self._unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32) if packed else None
        self._bytes_max = bytes_max
        self._parts: list[bytes] = []
        self._size = 0

    def take(self, part: bytes) -> None:
        if self._unpacker is not None:
            try:
                part = self._unpacker.decompress(part, self._bytes_max - self._size + 1)
            except zlib.error as error:
                raise Unreadable("a body that cannot be unpacked") from error
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._bytes_max:
            raise Unreadable(f"a body of more than {self._bytes_max} bytes once unpacked")

    def end(self) -> bytes:
        if self._unpacker is not None and self._size and not self._unpacker.eof:
            raise Unreadable("a packed body that breaks off")
        return b"".join(self._parts)


def _text(content: bytes, content_type: str) -> bytes:
    """The body, JSON in UTF-8 without a mark in front.

    JSON is UTF-8 by its own rules, so that is tried first, whatever the header says.
    """
    if content.startswith(GZIP_FILE):
        # A packed file is no text, whatever its header says of what is inside.
        return content
    media, _, parameters = content_type.partition(";")
    is_json = media.strip().lower().endswith("json")
    charset = _charset(parameters)
    if is_json:
        content = content.removeprefix(codecs.BOM_UTF8)
        if _is(content, "utf-8"):
            return content
    elif not charset:
        return content
    if not _is(content, charset or "utf-8"):
        raise Unreadable(f"a body that is not {charset or 'UTF-8'}, as it says")
    return content.decode(charset).encode() if is_json else content


def _charset(parameters: str) -> str:
    """The charset that a content type names, "" for none. Raises `Unreadable` for no charset."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip("\"'")[:40]
            try:
                return codecs.lookup(charset).name
            except LookupError:
                raise Unreadable(f"a body in {charset!r}, which is no charset") from None
    return ""


def _is(content: bytes, charset: str) -> bool:
    try:
        content.decode(charset)
    except UnicodeDecodeError:
        return False
    return True
