"""What else speaks for a span: the trained reader's margins weighed with the evidence at hand.

`EvidenceReader` takes the best span of every sentence from `app.reader.span` and weighs, for
each, the margin over "no answer", how near the sentence and its passage are to the question in
meaning, how far behind the first the passage was found, which of the question's words the
sentence has, and whether the person whose words are asked for says it. The weights ship with the
model; `eval.calibrate` fits them. Where the first passages answer clearly, the others are not
read.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Self

from app.question import asked_of, named
from app.reader import Passage, Reader, Sentence, Span
from app.reader.span import MODEL, SpanReader, damaged, read_about
from index.keyword import content_words

# How many passages are read before the rest, two at a time on two cores, and the log-odds from
# which the rest is left unread.
FIRST = 2
CLEAR = 0.0
MARGIN = 8.0  # beyond it a margin tells nothing more


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a span; each but the margin about 0 to 1."""

    margin: float  # the reader's score over "no answer", within +-MARGIN
    meaning: float  # cosine of the question and the sentence with its speaker's name
    likeness: float  # cosine of the question and the passage
    behind: float  # how far behind the first passage of its search it was found
    words: float  # share of the question's content words in the sentence, weighted by rarity
    speaker: float  # said by, or about, the person whose words are asked for
    length: float  # of full size, no "And very important."


@dataclass(frozen=True, slots=True)
class Weights:
    """How the evidence is weighed.

    `ranking` orders the spans of one question. `answering`, `lead` and `bias` give the log-odds
    that the first of them is right; the lead is how far it ranks before the second.
    """

    ranking: Evidence
    answering: Evidence
    lead: float
    bias: float

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """What `asdict` gave; raises TypeError, KeyError or ValueError where it is not."""

        def evidence(its: Mapping[str, Any]) -> Evidence:
            return Evidence(**{name: _finite(weight) for name, weight in its.items()})

        return cls(
            ranking=evidence(found["ranking"]),
            answering=evidence(found["answering"]),
            lead=_finite(found["lead"]),
            bias=_finite(found["bias"]),
        )

    def rank(self, evidence: Evidence) -> float:
        """The evidence weighed; only its order among the spans of one question means anything."""
        return _weighed(self.ranking, evidence)

    def log_odds(self, best: Evidence, lead: float) -> float:
        """Log-odds that the first span of a question answers it."""
        return self.bias + self.lead * lead + _weighed(self.answering, best)


# Weights of the reader alone, before any are fitted.
MARGIN_ALONE = Weights(
    ranking=Evidence(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    answering=Evidence(1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    lead=0.0,
    bias=0.0,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A span of a passage (by its number), its sentence as it was said, what speaks for it."""

    passage: int
    span: Span
    said: str
    evidence: Evidence


class EvidenceReader:
    """Ranks spans by evidence."""

    def __init__(self, spans: Reader, weights: Weights) -> None:
        self._spans = spans
        self._weights = weights

    @classmethod
    def open(cls, *, threads: int, folder: Path = MODEL) -> Self:
        """The model in `folder` and its weights.

        Raises OnRecordError where a part is missing, damaged or of another version.
        """
        try:
            weights = Weights.from_json(read_about(folder)["weights"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise damaged(folder, error) from error
        return cls(SpanReader.open(folder, threads=threads), weights)

    def read(self, question: str, passages: Sequence[Passage], /) -> list[list[Span]]:
        found = self.evidence(question, passages, 0, FIRST)
        if len(passages) > FIRST and not self._is_clear(found):
            found += self.evidence(question, passages, FIRST)
        ranked = ranking(self._weights, found)
        result: list[list[Span]] = [[] for _ in passages]
        if not ranked:
            return result
        # The first span's score says how likely it is right; the others are as far behind it as
        # they rank.
        first, best = ranked[0]
        shift = self._weights.log_odds(best.evidence, lead(ranked)) - first
        for rank, one in ranked:
            span = one.span
            result[one.passage].append(Span(span.start, span.end, rank + shift))
        return result

    def _is_clear(self, found: Sequence[Found]) -> bool:
        """Whether the best of what was found so far is as likely right as to look no further."""
        if not found:
            return False
        ranked = ranking(self._weights, found)
        return self._weights.log_odds(ranked[0][1].evidence, lead(ranked)) >= CLEAR

    def evidence(
        self, question: str, passages: Sequence[Passage], begin: int = 0, stop: int | None = None
    ) -> list[Found]:
        """Every span that is marked and may be quoted, with the evidence for it, in no order.

        Of the passages only [begin, stop) are read; what is rare is told by all of them.
        """
        read = range(*slice(begin, stop).indices(len(passages)))
        marked = [
            (n, span, sentence_of(passages[n], span))
            for n, spans in zip(
                read, self._spans.read(question, [passages[n] for n in read]), strict=True
            )
            for span in spans
        ]
        marked = [one for one in marked if one[2].asked]
        spoken = [_spoken(passages[n], sentence) for n, _, sentence in marked]
        asked = {_stem(word) for word in content_words(question)}
        speakers = {s.speaker for p in passages for s in p.sentences if s.speaker}
        person = asked_of(question, sorted(speakers))
        rarity = _rarity(passages)
        return [
            Found(
                n,
                span,
                text,
                Evidence(
                    margin=max(-MARGIN, min(MARGIN, span.score)),
                    meaning=sentence.likeness,
                    likeness=passages[n].likeness,
                    behind=passages[n].behind,
                    words=_overlap(asked, text, rarity),
                    speaker=_speaks(sentence, text, person),
                    length=min(sentence.end - sentence.start, 60) / 60,
                ),
            )
            for (n, span, sentence), text in zip(marked, spoken, strict=True)
        ]


def ranking(weights: Weights, found: Sequence[Found]) -> list[tuple[float, Found]]:
    """What was found with its rank, best first."""
    ranked = [(weights.rank(one.evidence), one) for one in found]
    return sorted(ranked, key=lambda one: (-one[0], one[1].passage, one[1].span.start))


def lead(ranked: Sequence[tuple[float, Found]]) -> float:
    """How far the first ranks before the first that says something else, at most MARGIN.

    Passages overlap, and the same sentence from two of them is no rival to itself. Where there
    is no rival, that tells nothing: 0.
    """
    best, first = ranked[0]
    rivals = (rank for rank, found in ranked if found.said != first.said)
    return min(MARGIN, best - next(rivals, best))


def sentence_of(passage: Passage, span: Span) -> Sentence:
    """The sentence a span begins in, or whose label it is; all of a passage without sentences.

    What stands behind the last sentence belongs to it, as for the span reader.
    """
    if not passage.sentences:
        return Sentence(0, len(passage.text), None, likeness=passage.likeness)
    following = (sentence for sentence in passage.sentences if sentence.end > span.start)
    return next(following, passage.sentences[-1])


def _finite(weight: Any) -> float:
    number = float(weight)
    if not math.isfinite(number):
        raise ValueError(f"a weight is {number}")
    return number


def _weighed(weights: Evidence, evidence: Evidence) -> float:
    pairs = zip(astuple(weights), astuple(evidence), strict=True)
    return float(sum(weight * value for weight, value in pairs))


def _spoken(passage: Passage, sentence: Sentence) -> str:
    words = passage.text[sentence.start : sentence.end]
    return f"{sentence.speaker}: {words}" if sentence.speaker else words


def _rarity(passages: Sequence[Passage]) -> dict[str, float]:
    """Inverse sentence frequency of every stem in the passages."""
    sentences = {p.text[s.start : s.end] for p in passages for s in p.sentences}
    counts = Counter(stem for s in sentences for stem in {_stem(w) for w in content_words(s)})
    return {stem: math.log(1 + len(sentences) / count) for stem, count in counts.items()}


def _overlap(asked: Collection[str], words: str, rarity: Mapping[str, float]) -> float:
    """How much of what is asked the words have; an unheard word counts as the rarest."""
    rarest = max(rarity.values(), default=1.0)
    has = {_stem(word) for word in content_words(words)}
    total = sum(rarity.get(stem, rarest) for stem in asked)
    return sum(rarity.get(stem, 0.0) for stem in asked if stem in has) / total if total else 0.0


def _speaks(sentence: Sentence, words: str, person: str | None) -> float:
    if person is None:
        return 0.0
    if sentence.speaker == person:
        return 1.0
    return 0.5 if named(words, [person]) else 0.0


def _stem(word: str) -> str:
    """Enough of a stemmer to match "negotiating" with "negotiations"."""
    stem = re.sub(r"(?:ational|ations?|ings?|ies|ied|ions?|ers?|ed|es|ly|s|e|y)$", "", word)
    return stem if len(stem) >= 3 else word
