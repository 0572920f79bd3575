"""Did somebody say that? A claimed quotation against the record, word by word.

The words are searched for as text, since a claim has no place yet; every place where they stand is
then a quote with its offsets.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate
from typing import Any, Literal

from app.answer import Quote, checked, quote_object, quote_of, speaker_named
from index.folder import Folder
from index.keyword import content_words
from index.retrieve import Query, Retriever
from index.transcript import Segment, Transcript

Verdict = Literal["exact", "altered", "other_speaker", "not_found"]
# What is done to claimed words, the words, and those of the record in their place.
Edit = tuple[Literal["equal", "insert", "delete", "replace"], str, str]

MOST = 10  # quotes of a verdict
NEAR = 10  # passages looked through for altered words
LEAST = 0.6  # share of words in common (Dice) from which a claim counts as altered
QUOTATION_MARKS = frozenset("\"'`´‘’‚‛“”„‟«»‹›")
# A number with its sign, and words with hyphens and apostrophes, are whole: "5" does not stand in
# "2.5" or "-5", nor "negotiable" in "non-negotiable".
_TOKEN = re.compile(
    r"(?<!\w)[-−+±]?\d+(?:[.,:/]\d+)+\w*|(?<!\w)[-−+±]\d\w*|\w+(?:['’‐‑-]\w+)*|[^\w\s]"
)


@dataclass(frozen=True, slots=True)
class Verified:
    """What the record has of a claim. No quotes where it has nothing like it.

    "exact" allows for case, white space, the style of quotation marks and a final full stop only.
    "other_speaker": the words are exact, but others say them. "altered": `quotes` holds the
    nearest, and `diff` how the claim differs from it.
    """

    claim: str
    verdict: Verdict
    quotes: tuple[Quote, ...]
    diff: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a mark in a text, and what it is compared by."""

    start: int
    end: int
    key: str

    @property
    def is_word(self) -> bool:
        return any(map(str.isalnum, self.key))


class Verifier:
    """Verifies claims against one version of an index. Safe to share between threads."""

    def __init__(self, folder: Folder, retriever: Retriever) -> None:
        self._folder = folder
        self._retriever = retriever

    def verify(self, claim: str, *, speaker: str | None = None) -> Verified:
        """Whether the words of `claim` stand in the record, said by `speaker` if one is named.

        Raises UsageError where the claim is empty or too long, or nobody has that name.
        """
        claim = checked(claim, "claim")
        name = None if speaker is None else speaker_named(speaker, self._folder.speakers())
        claimed = _bare(tokens(claim))
        exact = list(self._exact(claim, [token.key for token in claimed]))
        said = [quote for quote in exact if name is None or _is_by(quote, name)]
        if said or exact:
            quotes = (said or exact)[:MOST]
            first = quotes[0]
            words = claim[claimed[0].start : claimed[-1].end]
            verdict: Verdict = "exact" if said else "other_speaker"
            return Verified(claim, verdict, tuple(quotes), (("equal", words, first.answer),))
        return self._altered(claim, claimed, name) or Verified(claim, "not_found", (), ())

    def _exact(self, claim: str, keys: Sequence[str]) -> Iterator[Quote]:
        """The places where the words stand, in the words of one speaker each."""
        for transcript_id in self._folder.transcripts_with(content_words(claim)):
            transcript = self._folder.transcript(transcript_id)
            for start, end in places(keys, tokens(transcript.text)):
                speakers = {segment.speaker for segment in _segments(transcript, start, end)}
                if len(speakers) == 1 and transcript.segment_at(start):
                    yield quote_of(self._folder, transcript, start, end, 1.0)

    def _altered(self, claim: str, claimed: Sequence[Token], name: str | None) -> Verified | None:
        """The nearest words of the record, if they are near enough."""
        best: tuple[float, Transcript, Sequence[Token]] | None = None
        for hit in self._retriever.retrieve(Query(claim, None, name), NEAR):
            chunk = hit.chunk
            transcript = self._folder.transcript(chunk.transcript_id)
            for segment in _segments(transcript, chunk.start, chunk.end):
                if name is not None and (segment.speaker is None or segment.speaker.name != name):
                    continue
                window = _nearest(claimed, tokens(transcript.text, segment.start, segment.end))
                likeness = _likeness(claimed, window)
                if likeness >= LEAST and (best is None or likeness > best[0]):
                    best = likeness, transcript, window
        if best is None:
            return None
        likeness, transcript, window = best
        quote = quote_of(
            self._folder, transcript, window[0].start, window[-1].end, round(likeness, 4)
        )
        diff = tuple(edits(claim, claimed, transcript.text, window))
        return Verified(claim, "altered", (quote,), diff)


def tokens(text: str, start: int = 0, end: int | None = None) -> list[Token]:
    """The words and marks of the characters [start, end) of a text, in its coordinates."""
    stop = len(text) if end is None else end
    return [
        Token(found.start(), found.end(), _key(found.group()))
        for found in _TOKEN.finditer(text, start, stop)
    ]


def places(keys: Sequence[str], text: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """Where the keys stand one after the other: (start, end) in characters, in order."""
    begins = [*accumulate((len(token.key) + 1 for token in text), initial=0)]
    joined = "".join(f"{token.key}\n" for token in text)  # no key holds a line break
    wanted = "".join(f"{key}\n" for key in keys)
    found = joined.find(wanted)
    while found >= 0:
        first = bisect_left(begins, found)
        if begins[first] == found:
            yield text[first].start, text[first + len(keys) - 1].end
        found = joined.find(wanted, found + 1)


def edits(
    claim: str, claimed: Sequence[Token], text: str, recorded: Sequence[Token]
) -> Iterator[Edit]:
    """What turns the claimed words into those of the record, from the first to the last."""
    for kind, a, b, c, d in _matcher(claimed, recorded).get_opcodes():
        theirs = claim[claimed[a].start : claimed[b - 1].end] if b > a else ""
        ours = text[recorded[c].start : recorded[d - 1].end] if d > c else ""
        yield kind, theirs, ours


def verified_object(found: Verified) -> dict[str, Any]:
    """The JSON object of the `verify --json` contract."""
    return {
        "claim": found.claim,
        "verdict": found.verdict,
        "quotes": [quote_object(quote, n) for n, quote in enumerate(found.quotes, 1)],
        "diff": [list(edit) for edit in found.diff],
    }


def _key(word: str) -> str:
    return '"' if word in QUOTATION_MARKS else word.casefold().replace("’", "'")


def _bare(claimed: list[Token]) -> list[Token]:
    """The claim without the quotation marks around it and a final full stop."""
    keys = [token.key for token in claimed]
    if keys[-1] == "." and keys[-2:] != [".", "."]:
        return _bare(claimed[:-1])
    if len(keys) > 2 and keys[0] == keys[-1] == '"':
        return _bare(claimed[1:-1])
    return claimed


def _is_by(quote: Quote, name: str) -> bool:
    return quote.speaker is not None and quote.speaker.name == name


def _segments(transcript: Transcript, start: int, end: int) -> list[Segment]:
    """The segments that overlap [start, end)."""
    first = bisect_left(transcript.segments, start + 1, key=lambda segment: segment.end)
    found = []
    for segment in transcript.segments[first:]:
        if segment.start >= end:
            break
        found.append(segment)
    return found


def _matcher(claimed: Sequence[Token], recorded: Sequence[Token]) -> SequenceMatcher[str]:
    return SequenceMatcher(
        None, [one.key for one in claimed], [one.key for one in recorded], autojunk=False
    )


def _nearest(claimed: Sequence[Token], text: Sequence[Token]) -> Sequence[Token]:
    """The stretch of a text that is nearest to the claim, from a word in common to another."""
    longest = _matcher(claimed, text).find_longest_match()
    slack = max(3, len(claimed) // 3)
    first = max(0, longest.b - longest.a - slack)
    around = text[first : longest.b - longest.a + len(claimed) + slack]
    blocks = [block for block in _matcher(claimed, around).get_matching_blocks() if block.size]
    if not blocks:
        return ()
    # What stands before or behind the words in common is in the place of the claim's own.
    before, behind = blocks[0].a, len(claimed) - blocks[-1].a - blocks[-1].size
    low = max(0, blocks[0].b - before)
    return around[low : blocks[-1].b + blocks[-1].size + behind]


def _likeness(claimed: Sequence[Token], recorded: Sequence[Token]) -> float:
    """Twice the words in common over all words (Dice), 0 to 1."""
    common = sum(
        claimed[block.a + n].is_word
        for block in _matcher(claimed, recorded).get_matching_blocks()
        for n in range(block.size)
    )
    words = sum(token.is_word for token in (*claimed, *recorded))
    return 2 * common / words if words else 0.0
