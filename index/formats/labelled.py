"""Transcripts whose turns name their speaker: `Name: words`, with or without a time.

Reads `Name: words`, `[00:01:02] Name: words`, `00:01 Name: words`, `Name (00:01): words`,
`**Name:** words`, and a name with a time on a line of its own before the words. A line
without a label goes on with the turn before it. A name begins with a capital; among such names a
word without one, by which somebody goes in a call, "ada-o", is a name too, where it takes turns.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from index.transcript import Kind, Segment, Speaker

_TIME = r"(?:\d{1,2}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?"
_NAME = r"(?P<name>[^\W\d_][^:\n\[\]?!*]{0,58}?)"
_LINE = re.compile(
    rf"""[ \t]*(?:[\[(]?(?P<before>{_TIME})[\])]?[ \t]*[-–—|]?[ \t]*)?  # a time in front
    (?:(?P<bold>\*\*)?{_NAME}[ \t]*                                     # the label
       (?:[\[(](?P<after>{_TIME})[\])][ \t]*)?(?P=bold)?:(?P<bold2>\*\*)?(?=\s|$)[ \t]*)?""",
    re.VERBOSE,
)
_BOLD = re.compile(rf"[ \t]*\*\*{_NAME}:\*\*[ \t]*")
_HEADER = re.compile(rf"[ \t]*{_NAME}[ \t]+[\[(]?(?P<after>{_TIME})[\])]?:?[ \t]*")
_HANDLE = re.compile(r"[^\W\d_][\w.-]+\w")
_SENTENCE = 3  # words, on average, of what somebody says
_PARTICLES = frozenset("and de del der den di du el la le of the van von bin al".split())
_FIELDS = frozenset(
    "date time title subject topic location venue place present attendees participants "
    "speakers host hosts guest guests apologies absent agenda source url link note notes "
    "duration language recorded transcript http https re from to cc".split()
)
# These name a person in a heading, and are speakers where they take turns.
_ROLES = ("host", "guest")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: where its words are, and the label and time (seconds) in front, if any."""

    start: int
    end: int
    name: str | None
    time: float | None


def parse(text: str) -> Sequence[Segment] | None:
    """The segments of a labelled transcript, or None where the lines carry no labels."""
    front = rf"[ \t*\[(]*(?:{_TIME}[\])]?[ \t*|–—-]*)?"
    roles = {
        role for role in _ROLES if len(re.findall(rf"(?mi)^{front}{role}\b[^:\n]*:", text)) > 1
    }
    fields = _FIELDS - roles
    lines = _without_title(_lines(text, fields), text)
    names = Counter(line.name for line in lines if line.name)
    timed = sum(line.time is not None for line in lines)
    labelled = names.total()
    repeated = sum(count for count in names.values() if count > 1)
    is_dialogue = labelled >= 2 and (2 * labelled >= len(lines) or 2 * repeated >= labelled)
    if not is_dialogue and not (timed >= 2 and 3 * timed >= len(lines)):
        return None
    if is_dialogue and (handles := _handles(text, fields)):
        lines = _without_title(_lines(text, fields, handles), text)
    return _segments(lines)


def _handles(text: str, fields: Collection[str]) -> frozenset[str]:
    """The words without a capital that take turns among the names of a dialogue.

    They stand as some of the names do, with a time or without, bold or not, on more than one line,
    and speak in sentences: "price: 5" does not.
    """
    forms: set[tuple[bool, bool]] = set()
    turns: dict[str, list[tuple[tuple[bool, bool], int]]] = defaultdict(list)
    for raw in text.split("\n"):
        found = _BOLD.match(raw) or _LINE.match(raw)
        if not found or not found["name"]:
            continue
        groups = found.groupdict()
        timed = bool(groups.get("before") or groups.get("after"))
        form = timed, found.re is _BOLD or bool(groups["bold"])
        if is_label(found["name"], fields):
            forms.add(form)
        elif _HANDLE.fullmatch(found["name"]) and found["name"].lower() not in fields:
            turns[found["name"]].append((form, len(raw[found.end() :].split())))
    return frozenset(
        name
        for name, its in turns.items()
        if len(its) > 1
        and forms.issuperset(form for form, _ in its)
        and sum(words for _, words in its) >= _SENTENCE * len(its)
    )


def _lines(text: str, fields: Collection[str], handles: Collection[str] = ()) -> list[Line]:
    lines = []
    offset = 0
    for raw in text.split("\n"):
        if raw.strip():
            lines.append(_line(raw, offset, fields, handles))
        offset += len(raw) + 1
    return lines


def _without_title(lines: list[Line], text: str) -> list[Line]:
    """The lines, the first without its label where that is a title's: "The mill: an answer".

    It has no time where every label after it has one, and its name does not come again.
    """
    if not lines or not lines[0].name or lines[0].time is not None:
        return lines
    first, rest = lines[0], [line for line in lines[1:] if line.name]
    if len(rest) < 2 or any(line.time is None or line.name == first.name for line in rest):
        return lines
    start = len(text) - len(text.lstrip())
    return [Line(start, first.end, None, None), *lines[1:]]


def _line(raw: str, offset: int, fields: Collection[str], handles: Collection[str]) -> Line:
    header = _HEADER.fullmatch(raw)
    if header and is_label(header["name"], fields):
        end = offset + len(raw)
        return Line(end, end, header["name"].strip(), seconds(header["after"]))
    found = _BOLD.match(raw) or _LINE.match(raw)
    groups = found.groupdict() if found else {}
    name, time = groups.get("name"), groups.get("before") or groups.get("after")
    words = found.end() if found else 0
    if found and name is not None and name not in handles and not is_label(name, fields):
        # "As I said: no" is not a label, but a time in front of it stands.
        name, time = None, groups.get("before")
        words = found.start("name") if time else 0
    start = offset + words + len(raw[words:]) - len(raw[words:].lstrip())
    end = max(start, offset + len(raw.rstrip()))
    return Line(start, end, name.strip() if name else None, seconds(time) if time else None)


def _segments(lines: Sequence[Line]) -> list[Segment]:
    starts = [line.time for line in lines if line.time is not None]
    segments: list[Segment] = []
    speaker: Speaker | None = None
    begun = False
    at: tuple[float, float] | None = None
    for line in lines:
        if line.name:
            speaker = Speaker(line.name, "label")
            at = None
        if line.time is not None:
            starts.pop(0)
            at = (line.time, max(starts[0], line.time) if starts else line.time)
        begun = begun or line.name is not None or line.time is not None
        if line.start < line.end:
            kind: Kind = "speech" if begun else "heading"
            segments.append(Segment(line.start, line.end, kind, speaker, at))
    return segments


def is_label(name: str, fields: Collection[str] = _FIELDS) -> bool:
    """Whether words before a colon can be a speaker's name: "Project Manager", "SPEAKER 2"."""
    words = re.findall(r"[^\W_][\w.'’&-]*", name)
    if not 1 <= len(words) <= 6 or words[0].lower() in fields or name.rstrip().endswith("."):
        return False
    return not any(word[0].islower() and word not in _PARTICLES for word in words)


def seconds(time: str) -> float:
    """ "1:02:03.5" as seconds."""
    total = 0.0
    for part in time.replace(",", ".").split(":"):
        total = total * 60 + float(part)
    return total
