"""Files to transcripts: decoding, and one parser per format looked up by suffix and content.

A parser turns a text into segments, or says None: "not mine". Add a format by writing its
parser in a module of its own and naming it in `PARSERS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from index.errors import TranscriptError
from index.formats import labelled, report
from index.transcript import Segment, Transcript


class Parser(Protocol):
    def __call__(self, text: str, /) -> Sequence[Segment] | None: ...


# For each suffix the parsers that may read it, the most particular first.
PARSERS: dict[str, tuple[Parser, ...]] = {
    ".txt": (labelled.parse, report.parse),
    ".text": (labelled.parse, report.parse),
    ".md": (labelled.parse, report.parse),
}
NOT_TRANSCRIPTS = {"readme", "license", "licence", "changelog", "contributing", "notice"}

# More control characters than this among the first bytes, and it is no text.
BINARY_SHARE = 0.02
WESTERN_BONUS = 0.1  # of charset-normalizer's measure of disorder, 0 to 1
_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
_DATE = re.compile(r"(?<!\d)(\d{4})-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text with newlines as \\n; `note` says so where its encoding had to be guessed."""

    text: str
    note: str | None = None


def find_files(path: Path) -> Iterator[Path]:
    """The transcript files at `path`: itself, or those anywhere below a folder, sorted.

    Hidden files and READMEs are passed over. Raises TranscriptError where there is no
    such path, or a folder holds no file of a known format.
    """
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise TranscriptError(f"{path}: no such file or folder; check the path.")
    found = False
    for file in sorted(path.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        known = file.suffix.lower() in PARSERS and file.stem.lower() not in NOT_TRANSCRIPTS
        if known and not hidden and file.is_file():
            found = True
            yield file
    if not found:
        raise TranscriptError(
            f"{path}: no transcripts in this folder; On Record reads {', '.join(PARSERS)} files."
        )


def read_transcript(path: Path, transcript_id: str) -> tuple[Transcript, str | None]:
    """The transcript in a file, and a note for the user where one is due.

    Raises TranscriptError, naming the file, where it cannot be read as a transcript.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TranscriptError(f"{path}: cannot be read ({error.strerror}).") from error
    decoded = decode(data, str(path))
    transcript = parse(decoded.text, transcript_id, path.suffix, source=str(path))
    return transcript, decoded.note


def parse(
    text: str, transcript_id: str, suffix: str = ".txt", source: str | None = None
) -> Transcript:
    """A transcript of `text`; an unknown suffix is read as plain text.

    Raises TranscriptError where no parser finds anything said in it.
    """
    stem = Path(source).stem if source else transcript_id
    for parser in PARSERS.get(suffix.lower(), PARSERS[".txt"]):
        segments = parser(text)
        if segments:
            return Transcript(
                id=transcript_id,
                title=title_of(stem),
                text=text,
                segments=tuple(segments),
                date=date_of(stem),
                source=source,
            )
    raise TranscriptError(f"{source or transcript_id}: nothing to read in it; is it a transcript?")


def decode(data: bytes, name: str) -> Decoded:
    """Bytes to text: UTF-8, else by byte order mark, else by detection (and it says so).

    Raises TranscriptError for an empty file and for one that is not text.
    """
    if not data.strip():
        raise TranscriptError(f"{name}: the file is empty; give a transcript with words in it.")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return Decoded(_newlines(data.decode("utf-16")))
        except UnicodeDecodeError:
            pass
    head = data[:65536]
    if b"\0" in head or len(head) - len(head.translate(None, _CONTROL)) > BINARY_SHARE * len(head):
        raise TranscriptError(f"{name}: not a text file; give the transcript as plain text.")
    try:
        return Decoded(_newlines(data.decode("utf-8-sig")))
    except UnicodeDecodeError:
        pass
    from charset_normalizer import from_bytes

    head = data[:262144]
    best = from_bytes(head).best()
    # A few accents tell Western from Central European badly: most such files are Western.
    western = from_bytes(head, cp_isolation=["cp1252"]).best()
    if western and best and western.chaos <= best.chaos + WESTERN_BONUS:
        best = western
    encoding = best.encoding if best else "cp1252"
    try:
        text = data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        raise TranscriptError(
            f"{name}: its character encoding cannot be told; save it as UTF-8."
        ) from None
    return Decoded(
        _newlines(text), f"{name}: not UTF-8; read as {encoding}. Save it as UTF-8 to be sure."
    )


def title_of(stem: str) -> str:
    """A file's stem as a title: "trump-putin-call" is "Trump Putin Call"."""
    dates = _DATE.findall(stem)
    words = re.split(r"[\s_-]+", _DATE.sub(" ", stem).strip(" _-"))
    title = " ".join(word.capitalize() if word.islower() else word for word in words if word)
    date = ", ".join("-".join(parts) for parts in dates)
    return ", ".join(part for part in (title, date) if part) or stem


def date_of(stem: str) -> str | None:
    """The date in a file's name as YYYY-MM-DD, or None."""
    found = _DATE.search(stem)
    return "-".join(found.groups()) if found else None


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
