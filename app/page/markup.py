"""Answers and transcripts as HTML. Pure functions: values in, markup out; no Gradio here.

Every string that comes from outside passes through `literal`. Marks are placed by offsets only.
"""

from __future__ import annotations

import html
import re
import string
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol
from urllib.parse import parse_qs, urlencode

from app.answer import Answer, Quote
from app.cite import FORMS, date_beside
from index.transcript import Segment, Transcript

# A transcript up to WHOLE characters is shown whole, a longer one as an excerpt of EXCERPT.
WHOLE = 200_000
EXCERPT = 20_000
# Contents lists so many transcripts and says how many more there are.
LISTED = 100
# Captions flow into paragraphs of about FLOWING characters; so do lines far longer than that.
FLOWING = 600
PAUSE = 3.0
# Confidence in words, by per cent.
HIGH, MODERATE = 80, 50
# A line break inside a segment, after a line no longer than this, is a hard-wrapped text's.
WRAP_COLUMN = 100

WELCOME = (
    '<section class="welcome"><h2>What was actually said?</h2>'
    "<p>Every answer is a quotation, word for word, marked in its place. "
    "Where nobody says it, you are told so.</p></section>"
)
KEEP_RATINGS = (
    '<label title="Kept on this machine only, to make questions for evaluation of">'
    '<input type="checkbox" id="keep-ratings">Keep my ratings</label>'
)
_CORRECTION = (
    '<dialog id="correction" aria-labelledby="correction-title"><form method="dialog">'
    '<h2 id="correction-title">What would be right?</h2><p class="rated-question"></p>'
    '<label for="right-words">The exact words, as the transcript has them</label>'
    '<textarea id="right-words" rows="3" maxlength="1000"></textarea>'
    '<p class="hint">Words that you select in the transcript first stand here already.</p>'
    '<div><button value="words" class="keep-words">Keep these words</button>'
    '<button value="nobody">Nobody says it</button>'
    '<button value="unknown">I do not know</button>'
    '<button value="cancel">Cancel</button></div></form></dialog>'
)
_KEYS = (
    ("/", "go to the question box"),
    ("Enter", "ask; on a citation, open it in its transcript"),
    ("Esc", "from the transcript or the question box to the citation"),
    ("j  k", "next and previous citation"),
    ("c", "copy the quote with its citation"),
    ("?", "this list"),
)

_LINE = re.compile(r"\s*\S[^\n]*\n?")
_TIME = re.compile(r"\d:\d\d")
_ASKED = ('<p class="asked">', "</p>")
# Every ASCII punctuation mark becomes a character reference: the Chatbot reads Markdown, LaTeX
# and HTML, and none of them has anything left to act on. Line breaks too, since a blank line
# would end the HTML block. HTML cannot hold U+0000 nor JSON a lone surrogate.
_LITERAL = (
    {ord(character): f"&#{ord(character)};" for character in string.punctuation + "\t\n\r"}
    | {0: "\ufffd"}
    | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
)


class Summary(Protocol):
    """What the list of transcripts needs of one; a Transcript is one."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def date(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Mark:
    """A cited sentence, [start, end), under its label; `answer` are the answering words in it.

    Answers are labelled 1, 2, 3 and nearest quotes a, b, c; those have no answering words.
    """

    label: str
    start: int
    end: int
    answer: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """What a citation opens: one version of a transcript, the marks in it, and which of them.

    It travels in the citation's button, so the server needs to remember no answers.
    """

    transcript_id: str
    version: str = ""
    marks: tuple[Mark, ...] = ()
    focus: str = ""

    def __str__(self) -> str:
        marks = []
        for mark in self.marks:
            answer = "-".join(map(str, mark.answer)) if mark.answer else ""
            marks.append(f"{mark.label}:{mark.start}-{mark.end}:{answer}")
        fields = {"t": self.transcript_id, "v": self.version, "q": marks, "n": self.focus}
        return urlencode(fields, doseq=True, errors="surrogatepass")

    @staticmethod
    def parse(text: str) -> Reference:
        """The reference that `str` wrote. Raises ValueError for anything else."""
        fields = parse_qs(text, errors="surrogatepass")
        if "t" not in fields:
            raise ValueError(f"not a reference to a transcript: {text[:80]!r}")
        marks = []
        for field in fields.get("q", []):
            match = re.fullmatch(r"(\w+):(\d{1,12})-(\d{1,12}):(?:(\d{1,12})-(\d{1,12}))?", field)
            if match is None:
                raise ValueError(f"not a mark: {field[:80]!r}")
            label, start, end, *answer = match.groups()
            words = (int(answer[0]), int(answer[1])) if answer[0] else None
            marks.append(Mark(label, int(start), int(end), words))
        version, focus = (fields.get(key, [""])[0] for key in "vn")
        return Reference(fields["t"][0], version, tuple(marks), focus)


@dataclass(frozen=True, slots=True)
class Rated:
    """What a rating is of: a question, and the ids of the quotes shown for it.

    Like a Reference it travels in buttons.
    """

    question: str
    quotes: tuple[str, ...] = ()
    nearest: tuple[str, ...] = ()

    def __str__(self) -> str:
        fields = {"a": self.question, "q": self.quotes, "r": self.nearest}
        return urlencode(fields, doseq=True, errors="surrogatepass")

    @staticmethod
    def parse(text: str) -> Rated:
        """What `str` wrote. Raises ValueError for anything else."""
        fields = parse_qs(text, errors="surrogatepass")
        if "a" not in fields:
            raise ValueError(f"not a rated answer: {text[:80]!r}")
        return Rated(fields["a"][0], tuple(fields.get("q", ())), tuple(fields.get("r", ())))


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A stretch of the text shown as one paragraph, and the first segment in it.

    `number` counts the lines that are neither blank nor a heading; it is None in headings
    and in the later parts of a divided line.
    """

    start: int
    end: int
    number: int | None
    segment: Segment | None


# --- The conversation ---------------------------------------------------------------------


def literal(text: str) -> str:
    """HTML that shows exactly this text, in the Chatbot as elsewhere."""
    return text.translate(_LITERAL)


def question_html(question: str) -> str:
    """The user's message. `question_of` gives the question back."""
    return _ASKED[0] + literal(question) + _ASKED[1]


def question_of(message: str) -> str:
    """The question that `question_html` wrote, so that the page itself holds the history."""
    return html.unescape(message.removeprefix(_ASKED[0]).removesuffix(_ASKED[1]))


def answer_html(answer: Answer, transcripts: Mapping[str, Transcript]) -> str:
    """An answer, or a refusal that looks like one, as one Chatbot message.

    `transcripts` holds those that are quoted; where one is missing, its paragraph number is too.
    """
    if answer.quotes:
        kind, lead, quotes, after = "answer", "", answer.quotes, ""
    else:
        searched = _count(answer.transcripts_searched, "transcript")
        kind, quotes = "refusal", answer.nearest
        lead = (
            '<p class="verdict">Nobody says that on the record.</p>'
            f'<p class="why">Nothing in the {searched} searched answers this question.</p>'
        )
        after = '<p class="nearest-label">Nearest quotes &ndash; not an answer</p>' * bool(quotes)
    resolved = ""
    if answer.resolved_question != answer.question:
        asked = literal(answer.resolved_question)
        resolved = f'<p class="resolved">Searched for: <q>{asked}</q></p>'
    references = quote_references(answer)
    items = "".join(
        f'<li class="quote">{_quote_html(quote, reference, transcripts.get(quote.source.id))}</li>'
        for quote, reference in zip(quotes, references, strict=True)
    )
    listed = f'<ol class="quotes" role="list">{items}</ol>' if items else ""
    return (
        f'<section class="{kind}">{resolved}{lead}{after}{listed}'
        f'<p class="searched">{_searched(answer)}</p>{_rate_html(answer)}</section>'
    )


def _rate_html(answer: Answer) -> str:
    """The buttons that rate an answer; the page shows them to those who keep ratings."""
    rated = Rated(
        answer.question,
        tuple(quote.id for quote in answer.quotes),
        tuple(quote.id for quote in answer.nearest),
    )
    value = literal(str(rated))
    return (
        '<p class="rate">Is that right? '
        f'<button type="button" class="rate-right" value="{value}">Yes</button> '
        f'<button type="button" class="rate-wrong" value="{value}">No</button></p>'
    )


def quote_references(answer: Answer) -> list[Reference]:
    """One reference for each quote shown; each marks all the quotes of its transcript."""
    shown = answer.quotes or answer.nearest
    marks: list[Mark] = []
    for n, quote in enumerate(shown):
        if answer.quotes:
            words = (quote.answer_start, quote.answer_end)
            marks.append(Mark(str(n + 1), quote.start, quote.end, words))
        else:
            marks.append(Mark(string.ascii_lowercase[n], quote.start, quote.end))
    together: dict[str, list[Mark]] = {}
    for quote, mark in zip(shown, marks, strict=True):
        together.setdefault(quote.source.id, []).append(mark)
    return [
        Reference(
            quote.source.id, quote.source.sha256[:16], tuple(together[quote.source.id]), mark.label
        )
        for quote, mark in zip(shown, marks, strict=True)
    ]


def status_text(answer: Answer) -> str:
    """What is announced when the answer stands on the page."""
    return f"{_count(len(answer.quotes), 'quote')} found" if answer.quotes else "No answer found"


def failure_html(sentence: str) -> str:
    """A failure as a Chatbot message: unlike an answer, and unlike a refusal."""
    return (
        '<section class="failure" role="alert"><p class="verdict">That did not work.</p>'
        f'<p class="why">{literal(sentence)}</p></section>'
    )


def _quote_html(quote: Quote, reference: Reference, transcript: Transcript | None) -> str:
    before = literal(quote.text[: quote.answer_start - quote.start])
    after = literal(quote.text[quote.answer_end - quote.start :])
    answers = reference.marks[0].answer is not None
    words = literal(quote.answer)
    language = _language(transcript)
    place, when = _place(quote, transcript)
    who, basis = _who(quote, transcript)
    shown = f"[{reference.focus}]" if answers else reference.focus
    details = [f"<cite>{literal(quote.source.title)}</cite>"]
    if date := date_beside(quote.source.title, quote.source.date):
        stamp = literal(date)
        details.append(f'<time datetime="{stamp}">{stamp}</time>')
    if place:
        details.append(f'<time datetime="{when}">{place}</time>' if when else place)
    if basis:
        details.append(f'<span title="{basis[1]}">{basis[0]}</span>')
    plain = f"“{quote.text}” ({plain_citation(quote, transcript)})"
    return (
        f'<blockquote dir="auto"{language}><p>{before}'
        f"{f'<mark>{words}</mark>' if answers else words}{after}</p></blockquote>"
        '<div class="source">'
        f'<button type="button" class="cite" value="{literal(str(reference))}" '
        f'title="Show this quote in its transcript"><span class="n">{shown}</span>'
        f'<span class="who"><bdi>{literal(who)}</bdi></span>'
        f'<span class="where">{" · ".join(details)}</span></button>'
        f'<a class="link" href="q/{quote.id}" title="The permanent page of this quote">Link'
        f'<span class="unseen"> to quote {reference.focus}</span></a>'
        f'<button type="button" class="copy" value="{literal(plain)}" '
        f'title="Copy the quote with its citation">Copy<span class="unseen"> quote '
        f"{reference.focus}</span></button>{_forms_html(quote, reference.focus)}</div>"
    )


def _forms_html(quote: Quote, label: str) -> str:
    """The menu of the forms to copy a quote in. The page's script gets them from its permalink."""
    buttons = "".join(
        f'<button type="button" class="copy-as" value="{literal(quote.id + form.suffix)}">'
        f"{literal(form.name)}</button>"
        for form in FORMS.values()
    )
    return (
        '<details class="forms"><summary title="Copy it for a wiki or a document">'
        f'<span class="unseen">Copy quote {label} as</span></summary>'
        f'<div class="menu">{buttons}</div></details>'
    )


def plain_citation(quote: Quote, transcript: Transcript | None) -> str:
    """Who, where and when, as plain text: "Donald Trump, Trump Putin Call, paragraph 3"."""
    who, basis = _who(quote, transcript)
    title = quote.source.title
    parts = [f"{who}, {basis[0]}" if basis else who, title, date_beside(title, quote.source.date)]
    return ", ".join(part for part in (*parts, _place(quote, transcript)[0]) if part)


def _who(quote: Quote, transcript: Transcript | None) -> tuple[str, tuple[str, str] | None]:
    """Who says the answering words, and what that is known from: in short, and in full."""
    if quote.speaker is None:
        segment = transcript.segment_at(quote.answer_start) if transcript else None
        narrated = segment is not None and segment.kind == "narration"
        return ("Narration" if narrated else "Speaker not identified"), None
    match quote.speaker.basis:
        case "narration":
            known = ("per the report", "The report around the quotation says who is speaking")
        case "filename":
            known = ("per the file name", "The speaker is named in the name of the file")
        case _:
            return quote.speaker.name, None
    return quote.speaker.name, known


def _place(quote: Quote, transcript: Transcript | None) -> tuple[str, str | None]:
    """Where in the transcript: its time and the time's `datetime`, or its paragraph."""
    if quote.said_at:
        return clock(quote.said_at[0]), duration(quote.said_at[0])
    if transcript is None or transcript.sha256 != quote.source.sha256:
        return "", None
    number = paragraph_number(transcript, quote.answer_start)
    return (f"paragraph {number}" if number else "heading"), None


def _language(transcript: Transcript | None) -> str:
    known = transcript is not None and transcript.language
    return f' lang="{literal(known)}"' if known else ""


def _searched(answer: Answer) -> str:
    percent = round(100 * min(max(answer.confidence, 0.0), 1.0))
    words = "high" if percent >= HIGH else "moderate" if percent >= MODERATE else "low"
    return (
        f"Searched {_count(answer.transcripts_searched, 'transcript')}, "
        f"{_count(answer.segments_searched, 'segment')} in {_elapsed(answer.seconds)} · "
        f"confidence {words}, {percent}&#37;"
    )


def _elapsed(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{max(1, round(1000 * seconds))} ms"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def clock(seconds: float) -> str:
    """Seconds of the recording as 13:32, or 1:13:32."""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def duration(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    return f"PT{minutes}M{second}S"


# --- The transcripts ----------------------------------------------------------------------


def masthead_html(transcripts: int) -> str:
    """The head of the page: the name, what is indexed, and the list of keys."""
    keys = "".join(
        f"<dt>{' '.join(f'<kbd>{literal(key)}</kbd>' for key in names.split())}</dt><dd>{does}</dd>"
        for names, does in _KEYS
    )
    return (
        '<header><h1>On Record</h1><p class="tagline">Ask a transcript; get the exact words back.'
        f'</p><button type="button" class="open{" only" * (transcripts == 1)}" value="" '
        f'title="What is indexed">{_count(transcripts, "transcript")}</button>'
        '<button type="button" id="keys-open" title="Keyboard shortcuts">Keys</button></header>'
        f'<dialog id="keys" aria-label="Keyboard shortcuts"><h2>Keys</h2><dl>{keys}</dl>'
        '<form method="dialog"><button>Close</button></form></dialog>'
        f"{_CORRECTION}"
    )


def contents_html(transcripts: Sequence[Summary]) -> str:
    """What can be asked about: the list of transcripts, each a button that opens it."""
    items = "".join(
        f'<li><button type="button" class="open" value="{literal(str(Reference(summary.id)))}">'
        f"<bdi>{literal(summary.title)}</bdi>"
        f"{f'<small>{literal(date)}</small>' if date else ''}</button></li>"
        for summary in transcripts[:LISTED]
        for date in [date_beside(summary.title, summary.date)]
    )
    more = len(transcripts) - LISTED
    rest = (
        f'<p class="note">and {more:,} more. Ask, and the right one opens here.</p>'
        if more > 0
        else ""
    )
    none = "" if transcripts else '<p class="note">Nothing is indexed yet.</p>'
    return (
        '<div class="reading contents"><header><h2 tabindex="-1">On the record</h2>'
        '<p class="meta">What was said opens here, each quote marked in its place.</p></header>'
        f'<ol class="transcripts" role="list">{items}</ol>{rest}{none}</div>'
    )


def problem_html(sentence: str) -> str:
    """What the panel shows where a transcript cannot be."""
    return (
        '<div class="reading problem" role="alert"><header>'
        '<h2 tabindex="-1">This transcript cannot be shown</h2></header>'
        f'<p class="note">{literal(sentence)}</p></div>'
    )


def transcript_html(transcript: Transcript, reference: Reference) -> str:
    """The transcript with the reference's marks: every character of it, in order.

    What is added (speakers, times, paragraph and quote numbers) stands in elements of class
    `aside`. Of more than WHOLE characters only those around the quote in focus are shown.
    """
    marks: tuple[Mark, ...] = ()
    notes = []
    if reference.version and not transcript.sha256.startswith(reference.version):
        notes.append("This transcript has changed since that answer. Ask again to see the quote.")
    else:
        marks = tuple(mark for mark in reference.marks if mark.end <= len(transcript.text))
    every = paragraphs(transcript)
    shown = _around(transcript, every, marks, reference.focus)
    if shown and shown[-1].end - shown[0].start < len(transcript.text):
        whole = f"{len(transcript.text):,}"
        around = "around the quote" if marks else "from the beginning"
        notes.append(f"A long transcript: an excerpt {around}, of {whole} characters.")
    base = str(Reference(reference.transcript_id, reference.version, reference.marks))
    date = date_beside(transcript.title, transcript.date)
    dated = f"<time>{literal(date)}</time> · " if date else ""
    numbered = max((paragraph.number or 0 for paragraph in every), default=0)
    return (
        f'<div class="reading" data-base="{literal(base)}" data-focus="{literal(reference.focus)}">'
        f'<header><h2 tabindex="-1" dir="auto">{literal(transcript.title)}</h2>'
        f'<p class="meta">{dated}{_count(numbered, "paragraph")}</p></header>'
        f"{''.join(f'<p class=note>{literal(note)}</p>' for note in notes)}"
        f'<div class="text" dir="auto"{_language(transcript)}>'
        f"{''.join(_paragraphs_html(transcript, shown, marks))}</div></div>"
    )


def paragraph_number(transcript: Transcript, offset: int) -> int | None:
    """The number of the paragraph at `offset`: of the lines neither blank nor a heading."""
    every = paragraphs(transcript)
    at = bisect_right(every, offset, key=lambda paragraph: paragraph.start) - 1
    while at > 0 and every[at].number is None and not _is_heading(every[at]):
        at -= 1
    return every[at].number if every else None


def paragraphs(transcript: Transcript) -> list[Paragraph]:
    """The text cut into paragraphs without a gap: line by line, but captions flow together."""
    lines = []
    for start, end in _lines(transcript):
        lines.append((start, end, _first_segment(transcript.segments, start, end)))
    found: list[Paragraph] = []
    number = 0
    for start, end, segment in lines:
        if segment is None or segment.kind != "heading":
            number += 1
        if found and segment and _flows(transcript, found[-1], segment, start, end):
            found[-1] = Paragraph(found[-1].start, end, found[-1].number, found[-1].segment)
            continue
        is_heading = segment is not None and segment.kind == "heading"
        paragraph = Paragraph(start, end, None if is_heading else number, segment)
        found.extend(_divided(transcript, paragraph))
    return found


def _lines(transcript: Transcript) -> Iterator[tuple[int, int]]:
    """The non-blank lines with the white space around them, hard-wrapped lines joined."""
    text = transcript.text
    starts = [0] * bool(text)
    before = 0  # where the line before begins, be it joined or not
    for match in _LINE.finditer(text):
        line = match.start()
        blank = "\n" in match.group()[: -len(match.group().lstrip())]
        short = line - before <= WRAP_COLUMN and match.end() - starts[-1] <= 3 * FLOWING
        wrapped = short and not blank and transcript.segment_at(line - 1)
        if line > 0 and not wrapped:
            starts.append(line)
        before = line
    yield from pairwise([*starts, len(text)])


def _first_segment(segments: Sequence[Segment], start: int, end: int) -> Segment | None:
    at = bisect_right(segments, start, key=lambda segment: segment.end)
    return segments[at] if at < len(segments) and segments[at].start < end else None


def _flows(
    transcript: Transcript, before: Paragraph, segment: Segment, start: int, end: int
) -> bool:
    """Whether a caption goes on with the paragraph before it: same speaker, no pause."""
    last = _last_segment(transcript.segments, before)
    if not (last and last.at and segment.at and segment.kind == last.kind == "speech"):
        return False
    goes_on = last.speaker == segment.speaker and segment.at[0] - last.at[1] < PAUSE
    # A label or the like in front of the words begins a turn.
    bare = not transcript.text[start : segment.start].strip()
    return goes_on and bare and end - before.start <= FLOWING


def _last_segment(segments: Sequence[Segment], paragraph: Paragraph) -> Segment | None:
    at = bisect_left(segments, paragraph.end, key=lambda segment: segment.start) - 1
    return segments[at] if at >= 0 and segments[at].end > paragraph.start else None


def _divided(transcript: Transcript, paragraph: Paragraph) -> list[Paragraph]:
    """A line of several times FLOWING characters, divided where segments begin."""
    if paragraph.end - paragraph.start <= 3 * FLOWING:
        return [paragraph]
    starts = [paragraph.start]
    first = bisect_left(transcript.segments, paragraph.start, key=lambda segment: segment.start)
    for segment in transcript.segments[first:]:
        if segment.start >= paragraph.end:
            break
        if segment.start - starts[-1] >= FLOWING:
            starts.append(segment.start)
    parts = [
        Paragraph(start, end, None, _first_segment(transcript.segments, start, end))
        for start, end in pairwise([*starts, paragraph.end])
    ]
    parts[0] = Paragraph(paragraph.start, parts[0].end, paragraph.number, paragraph.segment)
    return parts


def _is_heading(paragraph: Paragraph) -> bool:
    return paragraph.segment is not None and paragraph.segment.kind == "heading"


def _around(
    transcript: Transcript, every: list[Paragraph], marks: Sequence[Mark], focus: str
) -> list[Paragraph]:
    """The paragraphs to show: all, or so many around the mark in focus."""
    length = len(transcript.text)
    if length <= WHOLE:
        return every
    mark = next((mark for mark in marks if mark.label == focus), None)
    centre = mark.start if mark else 0
    low = max(0, min(centre - EXCERPT // 2, length - EXCERPT))
    high = low + EXCERPT
    shown = [paragraph for paragraph in every if paragraph.end > low and paragraph.start < high]
    # A line without end is cut in the middle; so many characters either side stand for it.
    return [
        Paragraph(
            paragraph.start if paragraph.start > low - EXCERPT else low,
            paragraph.end if paragraph.end < high + EXCERPT else high,
            paragraph.number,
            paragraph.segment,
        )
        for paragraph in shown
    ]


def _paragraphs_html(
    transcript: Transcript, shown: Sequence[Paragraph], marks: Sequence[Mark]
) -> Iterator[str]:
    cuts = sorted(_cuts(transcript, marks))
    speaking = None
    for paragraph in shown:
        segment = paragraph.segment
        kind = segment.kind if segment else "narration"
        asides = _margin(transcript, paragraph)
        if segment and kind == "speech" and segment.speaker:
            labelled = segment.speaker.basis == "label"
            if segment.speaker != speaking and not labelled:
                name = literal(segment.speaker.name)
                asides += f'<span class="aside speaker"><bdi>{name}</bdi></span>'
        speaking = segment.speaker if segment and kind == "speech" else None
        low, high = bisect_right(cuts, paragraph.start), bisect_left(cuts, paragraph.end)
        inside = [paragraph.start, *cuts[low:high], paragraph.end]
        runs = "".join(
            _run_html(transcript, start, end, paragraph, marks) for start, end in pairwise(inside)
        )
        tag = "h3" if kind == "heading" else "p"
        yield f'<{tag} class="turn {kind}">{asides}<span class="words">{runs}</span></{tag}>'


def _cuts(transcript: Transcript, marks: Iterable[Mark]) -> set[int]:
    cuts = {edge for segment in transcript.segments for edge in (segment.start, segment.end)}
    for mark in marks:
        cuts |= {mark.start, mark.end, *(mark.answer or ())}
    return cuts


def _margin(transcript: Transcript, paragraph: Paragraph) -> str:
    """The time or the number of a paragraph, for its margin, unless the text itself has it."""
    segment = paragraph.segment
    if segment and segment.at:
        goes_on = segment.start < paragraph.start
        if goes_on or _TIME.search(transcript.text, paragraph.start, segment.start):
            return ""
        seconds = segment.at[0]
        shown = f'<time datetime="{duration(seconds)}">{clock(seconds)}</time>'
    elif paragraph.number:
        shown = f'<span class="unseen">paragraph </span>{paragraph.number}'
    else:
        return ""
    return f'<span class="aside margin">{shown} </span>'


def _run_html(
    transcript: Transcript, start: int, end: int, paragraph: Paragraph, marks: Sequence[Mark]
) -> str:
    """A stretch of text without an edge of a segment or of a mark inside."""
    words = transcript.text[start:end]
    shown = _spaced(words)
    segment = transcript.segment_at(start)
    if segment is None and start == paragraph.start and any(map(str.isalnum, words)):
        shown = f'<span class="label">{shown}</span>'
    elif segment and segment.speaker and segment != paragraph.segment:
        said_by = literal(f"Said by {segment.speaker.name}")
        shown = f'<span class="said" title="{said_by}">{shown}</span>'
    cited = [mark for mark in marks if mark.start <= start < mark.end]
    if not cited:
        return shown
    answers = [mark for mark in cited if mark.answer and mark.answer[0] <= start < mark.answer[1]]
    targets = " ".join(
        f"at-{mark.label}" for mark in cited if mark in answers or mark.answer is None
    )
    numbers = "".join(
        f'<sup class="aside">{f"[{mark.label}]" if mark.answer else mark.label}</sup>'
        for mark in cited
        if mark.end == end
    )
    if answers:
        return f'<mark class="{targets}" tabindex="-1">{shown}</mark>{numbers}'
    focusable = ' tabindex="-1"' if targets else ""
    return f'<span class="cited {targets}"{focusable}>{shown}</span>{numbers}'


def _spaced(words: str) -> str:
    """Text whose line breaks are kept but read as spaces: the paragraphs stand for them."""
    parts = re.split(r"(\s*\n\s*)", words)
    return "".join(
        f'<span class="break">{literal(part)}</span>' if at % 2 else literal(part)
        for at, part in enumerate(parts)
    )
