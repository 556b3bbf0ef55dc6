"""A multipart body that is here whole (RFC 7578), as its parts. Knows no web framework."""

from __future__ import annotations

from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from sightline.errors import InvalidRequest
from sightline.protocols.wire import Part

MOST_FILES, MOST_FIELDS, LONGEST_FIELD = 16, 64, 1024 * 1024


def read_form(content: bytes, content_type: str) -> list[Part]:
    """The parts of a `multipart/form-data` body, in their order. Raises `InvalidRequest`."""
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise _broken("Missing boundary in multipart.")
    reader = _Reader()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": reader.begin,
                "on_header_field": reader.header_name,
                "on_header_value": reader.header_value,
                "on_header_end": reader.header_end,
                "on_headers_finished": reader.opened,
                "on_part_data": reader.data,
                "on_part_end": reader.end,
            },
        )
        parser.write(content)
        parser.finalize()
    except FormParserError:
        raise _broken("Invalid multipart data.") from None
    return reader.parts


@dataclass(slots=True)
class _Reader:
    """Collects what the parser calls out."""

    parts: list[Part] = field(default_factory=list)
    _headers: dict[bytes, bytes] = field(default_factory=dict)
    _header: tuple[bytes, bytes] = (b"", b"")
    _name: str = ""
    _filename: str | None = None
    _content: bytearray = field(default_factory=bytearray)

    def begin(self) -> None:
        self._headers, self._content = {}, bytearray()

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def header_end(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = (b"", b"")

    def opened(self) -> None:
        options = parse_options_header(self._headers.get(b"content-disposition"))[1]
        if b"name" not in options:
            raise _broken('The Content-Disposition header field "name" must be provided.')
        self._name = _text(options[b"name"])
        self._filename = _text(options[b"filename"]) if b"filename" in options else None
        files = sum(part.filename is not None for part in self.parts)
        most, have = (MOST_FIELDS, len(self.parts) - files) if self._filename is None else (MOST_FILES, files)
        if have >= most:
            kind = "fields" if self._filename is None else "files"
            raise _broken(f"Too many {kind}. Maximum number of {kind} is {most}.")

    def data(self, data: bytes, start: int, end: int) -> None:
        self._content += data[start:end]
        if self._filename is None and len(self._content) > LONGEST_FIELD:
            raise _broken(f"Part exceeded maximum size of {LONGEST_FIELD // 1024}KB.")

    def end(self) -> None:
        content = bytes(self._content)
        self.parts.append(Part(self._name, content, self._filename))


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _broken(reason: str) -> InvalidRequest:
    return InvalidRequest(f"the multipart body cannot be read: {reason}")
