"""Quote, Answer: what was found, in transcript coordinates. Answerer: how it is found.

Offsets never leave the chain: a quote's place is its chunk's start plus its span's, never
the result of a text search.
"""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.question import asks_for_several, resolve
from app.reader import Passage, Reader, Sentence, Span
from index.chunk import Chunk
from index.errors import UsageError
from index.folder import Folder
from index.retrieve import Hit, Query, Retriever
from index.transcript import Speaker, Transcript

MAX_QUESTION = 2_000  # characters
MOST_TURNS = 50  # earlier questions of a conversation that are looked back at
CONTEXT = 32  # characters of prefix and suffix
NEAREST = 3


@dataclass(frozen=True, slots=True)
class Source:
    """The transcript version that a quote is cited from."""

    id: str
    title: str
    sha256: str
    date: str | None


def quote_id(sha256: str, start: int, end: int, answer_start: int, answer_end: int) -> str:
    """q_ and 16 hex digits of the sha256 of the parts joined with "|"; see `Quote.id`."""
    place = "|".join(map(str, (sha256, start, end, answer_start, answer_end)))
    return "q_" + hashlib.sha256(place.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Quote:
    """Verbatim words at their place: `text` is the transcript's [start:end].

    `answer_start` and `answer_end` are the answering words inside it, in the same
    coordinates. `said_at` is (start, end) in seconds, or None. `prefix` and `suffix` are up
    to 32 characters on either side (W3C TextQuoteSelector).
    """

    source: Source
    start: int
    end: int
    text: str
    answer_start: int
    answer_end: int
    speaker: Speaker | None
    said_at: tuple[float, float] | None
    prefix: str
    suffix: str
    score: float

    def __post_init__(self) -> None:
        if not self.start <= self.answer_start < self.answer_end <= self.end:
            raise ValueError(
                f"answer {self.answer_start}-{self.answer_end} is not inside "
                f"quote {self.start}-{self.end}"
            )

    @property
    def id(self) -> str:
        """q_ and 16 hex digits of the sha256 of "<hash>|<start>|<end>|<answer>|<answer end>".

        The hash is the transcript's, the rest are its offsets: it can be computed again.
        """
        return quote_id(
            self.source.sha256, self.start, self.end, self.answer_start, self.answer_end
        )

    @property
    def answer(self) -> str:
        """The exact words that answer."""
        return self.text[self.answer_start - self.start : self.answer_end - self.start]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found for a question. No quotes *is* "no answer"."""

    question: str
    resolved_question: str
    quotes: tuple[Quote, ...]
    nearest: tuple[Quote, ...]
    confidence: float
    transcripts_searched: int
    segments_searched: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Policy:
    """How many passages are read, how many quotes shown, and when to refuse.

    `threshold` is the least confidence of an answer. A further quote is shown when its own
    score is within `further` of the first's, or `further_list` where several are asked for.
    """

    passages: int = 5
    quotes: int = 3
    threshold: float = 0.15
    further: float = 0.35
    further_list: float = 1.2


class Answerer:
    """Answers questions from one version of an index. Safe to share between threads."""

    def __init__(
        self, folder: Folder, retriever: Retriever, reader: Reader, policy: Policy
    ) -> None:
        self._folder = folder
        self._retriever = retriever
        self._reader = reader
        self._policy = policy
        self._speakers = folder.speakers()

    def ask(
        self,
        question: str,
        history: Sequence[str] = (),
        *,
        transcript: str | None = None,
        speaker: str | None = None,
        quotes: int | None = None,
    ) -> Answer:
        """The quotes that answer `question`, best first, or those nearest where none does.

        `history` holds the conversation's earlier questions as they were asked, oldest first, of
        which the last 50 count;
        `transcript` (an id) and `speaker` (a name) restrict where the answer may come from;
        `quotes` is the most to give. Raises UsageError where the question or a restriction makes
        no sense.
        """
        began = time.perf_counter()
        question = checked(question)
        name = None if speaker is None else speaker_named(speaker, self._speakers)
        if transcript is not None:
            self._known(transcript)
        earlier: list[str] = []
        for turn in history[-MOST_TURNS:]:
            # Cut, since a name put in for each of several others grows from turn to turn.
            earlier.append(resolve(_whole(turn), earlier, self._speakers)[:MAX_QUESTION])
        resolved = resolve(question, earlier, self._speakers)[:MAX_QUESTION]
        hits = self._retriever.retrieve(Query(resolved, transcript, name), self._policy.passages)
        spans = self._reader.read(resolved, passages_of(self._folder, hits, name))
        found = self._quotes([hit.chunk for hit in hits], spans, name, quotes)
        confidence = 1 / (1 + math.exp(min(700, -found[0].score))) if found else 0.0
        answered = bool(found) and confidence >= self._policy.threshold
        return Answer(
            question=question,
            resolved_question=resolved,
            quotes=self._shown(resolved, found, quotes) if answered else (),
            nearest=() if answered else tuple(found[:NEAREST]),
            confidence=confidence,
            transcripts_searched=1 if transcript else self._folder.manifest.counts["transcripts"],
            segments_searched=self._folder.segment_count(transcript),
            seconds=time.perf_counter() - began,
        )

    def _quotes(
        self,
        chunks: Sequence[Chunk],
        spans: Sequence[Sequence[Span]],
        speaker: str | None,
        most: int | None,
    ) -> list[Quote]:
        """As many quotes as can be shown, best first; of those that overlap, the best alone."""
        places = sorted(
            (-span.score, chunk.transcript_id, chunk.start + span.start, chunk.start + span.end)
            for chunk, its_spans in zip(chunks, spans, strict=True)
            for span in its_spans
        )
        enough = max(most or self._policy.quotes, NEAREST)
        kept: dict[str, list[Quote]] = defaultdict(list)
        found: list[Quote] = []
        for score, transcript_id, start, end in places:
            if len(found) == enough:
                break
            quote = quote_of(
                self._folder, self._folder.transcript(transcript_id), start, end, -score
            )
            if speaker and (quote.speaker is None or quote.speaker.name != speaker):
                continue
            others = kept[transcript_id]
            if all(quote.end <= other.start or other.end <= quote.start for other in others):
                others.append(quote)
                found.append(quote)
        return found

    def _shown(self, question: str, found: Sequence[Quote], most: int | None) -> tuple[Quote, ...]:
        several = asks_for_several(question)
        margin = self._policy.further_list if several else self._policy.further
        near = [quote for quote in found if quote.score >= found[0].score - margin]
        return tuple(near[: most or self._policy.quotes])

    def _known(self, transcript: str) -> None:
        try:
            self._folder.transcript(transcript)
        except KeyError:
            known = ", ".join(summary.id for summary in self._folder.summaries()[:12])
            raise UsageError(
                f"no transcript {transcript!r} in the index; it has {known}."
            ) from None


def quote_of(folder: Folder, transcript: Transcript, start: int, end: int, score: float) -> Quote:
    """The span [start, end) of a transcript, shown in its whole sentence or sentences.

    A span in the label of a turn ("Who said so?") is shown with all of the label and the turn's
    first sentence, and is that speaker's.
    """
    sentences = folder.sentences(transcript.id, start, end)
    if not sentences:
        turn = transcript.segment_after(end)
        # Between a label's line and its own words there may be a time, but no other name.
        between = transcript.text[end : turn.start].partition("\n")[2] if turn else ""
        if turn and not any(map(str.isalpha, between)):
            sentences = folder.sentences(transcript.id, turn.start, turn.end)[:1]
    segment = transcript.segment_at(start)
    shown = _label_start(transcript, start), end
    if sentences:
        shown = min(shown[0], sentences[0][0]), max(end, sentences[-1][1])
        segment = segment or transcript.segment_at(sentences[0][0])
    text = transcript.text
    return Quote(
        source=Source(transcript.id, transcript.title, transcript.sha256, transcript.date),
        start=shown[0],
        end=shown[1],
        text=text[shown[0] : shown[1]],
        answer_start=start,
        answer_end=end,
        speaker=segment.speaker if segment else None,
        said_at=segment.at if segment else None,
        prefix=text[max(0, shown[0] - CONTEXT) : shown[0]],
        suffix=text[shown[1] : shown[1] + CONTEXT],
        score=score,
    )


def _label_start(transcript: Transcript, offset: int) -> int:
    """Where the label begins that holds `offset`, if one does: its line's first letter, or marks
    before it.
    """
    line = transcript.text.rfind("\n", 0, offset) + 1
    said = transcript.segment_after(line)
    if said and said.start <= offset:
        return offset
    first = re.compile(r"\**[^\W\d_]").search(transcript.text, line, offset + 1)
    return first.start() if first else offset


def speaker_named(name: str, speakers: Sequence[str]) -> str:
    """The speaker whom a name means, by whole name or last name. Raises UsageError for nobody."""
    wanted = name.strip().casefold()
    for speaker in speakers:
        if wanted in (speaker.casefold(), speaker.casefold().split()[-1]):
            return speaker
    known = ", ".join(speakers[:12]) or "nobody by name"
    raise UsageError(f"no speaker {name!r} in the index; it knows {known}.")


def passages_of(folder: Folder, hits: Sequence[Hit], speaker: str | None = None) -> list[Passage]:
    """What the reader sees of one search's hits, where only what `speaker` says, if named, may
    be quoted.
    """
    return [_passage(folder, hit, hits[0].score - hit.score, speaker) for hit in hits]


def _passage(folder: Folder, hit: Hit, behind: float, speaker: str | None) -> Passage:
    chunk = hit.chunk
    transcript = folder.transcript(chunk.transcript_id)
    sentences = []
    for near in hit.sentences:
        segment = transcript.segment_at(near.start)
        name = segment.speaker.name if segment and segment.speaker else None
        sentences.append(
            Sentence(
                near.start - chunk.start,
                near.end - chunk.start,
                name,
                asked=speaker is None or name == speaker,
                likeness=near.likeness,
            )
        )
    text = transcript.text[chunk.start : chunk.end]
    return Passage(text, tuple(sentences), hit.likeness, behind)


def checked(text: str, what: str = "question") -> str:
    """The text without white space around it; UsageError where it says nothing, or too much."""
    text = text.strip()
    if not any(map(str.isalnum, text)):
        raise UsageError(f"the {what} is empty; ask something in words.")
    text = _whole(text)
    if len(text) > MAX_QUESTION:
        raise UsageError(
            f"the {what} has {len(text):,} characters; ask in at most {MAX_QUESTION:,}."
        )
    return text


def _whole(text: str) -> str:
    """JSON can spell half a character, which nobody can have meant: it becomes "?"."""
    return text.encode("utf-8", "replace").decode()


def answer_object(answer: Answer) -> dict[str, Any]:
    """The JSON object of the `ask --json` contract."""
    return {
        "question": answer.question,
        "resolved_question": answer.resolved_question,
        "answerable": bool(answer.quotes),
        "confidence": round(answer.confidence, 4),
        "quotes": [quote_object(quote, n) for n, quote in enumerate(answer.quotes, 1)],
        "nearest": [quote_object(quote, n) for n, quote in enumerate(answer.nearest, 1)],
        "searched": {
            "transcripts": answer.transcripts_searched,
            "segments": answer.segments_searched,
        },
        "seconds": round(answer.seconds, 4),
    }


def quote_object(quote: Quote, n: int) -> dict[str, Any]:
    """One quote of the contract; `n` is its display number."""
    speaker = quote.speaker
    return {
        "id": quote.id,
        "n": n,
        "transcript": {
            "id": quote.source.id,
            "title": quote.source.title,
            "sha256": quote.source.sha256,
            "date": quote.source.date,
        },
        "start": quote.start,
        "end": quote.end,
        "text": quote.text,
        "answer": {"start": quote.answer_start, "end": quote.answer_end, "text": quote.answer},
        "speaker": {"name": speaker.name, "basis": speaker.basis} if speaker else None,
        "said_at": list(quote.said_at) if quote.said_at else None,
        "prefix": quote.prefix,
        "suffix": quote.suffix,
        "score": round(quote.score, 4),
        "url": f"/q/{quote.id}",
    }
