"""A reader by evidence: sentences ranked by what speaks for them.

`EvidenceReader` weighs, for each sentence of a passage, how near its meaning is to the
question's, which of the question's words it has, whether it holds the kind of thing that
is asked for, and whether the person whom the question names says it. Then it narrows the
sentence to the words that answer, in `app.reader.narrow`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from app.question import kind_of, named
from app.reader import Passage, Sentence, Span
from app.reader.narrow import holds, narrow
from index.embed import Embedder
from index.keyword import content_words
from index.store import Vectors

SPANS_PER_PASSAGE = 4
REMEMBERED = 20_000  # sentence vectors kept, 1.5 kB each


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one sentence; each about 0 to 1. `unheard` is the question's own."""

    meaning: float  # cosine of the question and the sentence with its speaker's name
    context: float  # cosine of the question and the sentence with the one before it
    words: float  # share of the question's content words in it, weighted by rarity
    kind: float  # holds a number, a time, a place, a person, a reason, as asked
    speaker: float  # said by, or about, the person named in the question
    length: float  # of full size, no "And very important."
    unheard: float  # share of the question's content words that no passage has


# Fitted by logistic regression on the development split of the seed's questions.
WEIGHTS = Evidence(
    meaning=6.0, context=4.0, words=2.0, kind=1.2, speaker=1.0, length=1.0, unheard=-2.0
)
BIAS = -6.0


class EvidenceReader:
    """Ranks sentences by evidence. Sentence vectors are remembered between questions."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._vectors: dict[str, Vectors] = {}

    def read(self, question: str, passages: Sequence[Passage], /) -> list[list[Span]]:
        kind = kind_of(question)
        result = []
        for passage, rows in zip(passages, self.evidence(question, passages), strict=True):
            spans = [
                Span(*narrow(question, kind, passage.text, (s.start, s.end)), score(row))
                for s, row in zip(passage.sentences, rows, strict=True)
            ]
            best = sorted(spans, key=lambda span: -span.score)[:SPANS_PER_PASSAGE]
            result.append(best)
        return result

    def evidence(self, question: str, passages: Sequence[Passage]) -> list[list[Evidence]]:
        """For each passage the evidence for each of its sentences."""
        texts = [_in_context(passage) for passage in passages]
        vectors = self._embed([text for pairs in texts for pair in pairs for text in pair])
        query = self._embedder.embed_query(question)
        asked = {_stem(word) for word in content_words(question)}
        people = named(
            question, sorted({s.speaker for p in passages for s in p.sentences if s.speaker})
        )
        rarity = _rarity(passages)
        heard = sum(rarity[w] for w in asked if w in rarity)
        unheard = sum(_unknown(rarity) for w in asked if w not in rarity)
        share_unheard = unheard / (heard + unheard) if asked else 1.0
        result = []
        for passage, pairs in zip(passages, texts, strict=True):
            rows = []
            for sentence, (with_speaker, with_before) in zip(passage.sentences, pairs, strict=True):
                words = passage.text[sentence.start : sentence.end]
                rows.append(
                    Evidence(
                        meaning=float(query @ vectors[with_speaker]),
                        context=float(query @ vectors[with_before]),
                        words=_overlap(asked, with_speaker, rarity),
                        kind=holds(kind_of(question), question, words),
                        speaker=_speaks(sentence, words, people),
                        length=min(len(words.split()), 12) / 12,
                        unheard=share_unheard,
                    )
                )
            result.append(rows)
        return result

    def _embed(self, texts: Sequence[str]) -> Mapping[str, Vectors]:
        missing = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if missing:
            if len(self._vectors) + len(missing) > REMEMBERED:
                self._vectors.clear()
                missing = list(dict.fromkeys(texts))
            vectors = self._embedder.embed_passages(missing)
            self._vectors.update(zip(missing, vectors, strict=True))
        return self._vectors


def score(evidence: Evidence) -> float:
    """The evidence weighed: log-odds that the sentence answers."""
    weighed = zip(astuple(WEIGHTS), astuple(evidence), strict=True)
    return BIAS + float(sum(w * e for w, e in weighed))


def _in_context(passage: Passage) -> list[tuple[str, str]]:
    """Each sentence with its speaker's name, and with the sentence before it."""
    pairs = []
    before = ""
    for sentence in passage.sentences:
        words = passage.text[sentence.start : sentence.end]
        named_words = f"{sentence.speaker}: {words}" if sentence.speaker else words
        pairs.append((named_words, f"{before} {named_words}".strip()))
        before = words
    return pairs


def _rarity(passages: Sequence[Passage]) -> dict[str, float]:
    """Inverse sentence frequency of every stem in the passages."""
    sentences = {p.text[s.start : s.end] for p in passages for s in p.sentences}
    counts = Counter(stem for s in sentences for stem in {_stem(w) for w in content_words(s)})
    return {stem: math.log(1 + len(sentences) / count) for stem, count in counts.items()}


def _unknown(rarity: Mapping[str, float]) -> float:
    return max(rarity.values(), default=1.0)


def _overlap(asked: set[str], words: str, rarity: Mapping[str, float]) -> float:
    has = {_stem(word) for word in content_words(words)}
    total = sum(rarity.get(stem, _unknown(rarity)) for stem in asked)
    return sum(rarity.get(stem, 0.0) for stem in asked & has) / total if total else 0.0


def _speaks(sentence: Sentence, words: str, people: Sequence[str]) -> float:
    if not people:
        return 0.0
    if sentence.speaker in people:
        return 1.0
    return 0.5 if named(words, people) else 0.0


def _stem(word: str) -> str:
    """Enough of a stemmer to match "negotiating" with "negotiations"."""
    stem = re.sub(r"(?:ational|ations?|ings?|ies|ied|ions?|ers?|ed|es|ly|s|e|y)$", "", word)
    return stem if len(stem) >= 3 else word
