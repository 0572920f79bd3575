"""The picker that was before the trained reader, kept as a baseline.

`SentencePicker` weighs, for each sentence of a passage, how near its meaning is to the
question's, which of the question's words it has, whether it holds the kind of thing that
is asked for, and whether the person whom the question names says it. Then it narrows the
sentence to the words that answer, in `narrow`, by patterns.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass

from app.question import asked_of, named
from app.reader import Passage, Sentence, Span
from index.embed import Embedder
from index.keyword import content_words
from index.store import Vectors
from tests.picker.narrow import holds, kind_of, narrow

SPANS_PER_PASSAGE = 4
REMEMBERED = 20_000  # sentence vectors kept, 1.5 kB each


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one sentence; each about 0 to 1."""

    meaning: float  # cosine of the question and the sentence with its speaker's name
    topic: float  # the same with all speakers' names left out of both
    context: float  # cosine of the question and the sentence with the one before it
    words: float  # share of the question's content words in it, weighted by rarity
    kind: float  # holds a number, a time, a place, a person, a reason, as asked
    speaker: float  # said by, or about, the person whose words are asked for
    length: float  # of full size, no "And very important."


# What ranks sentences: a softmax over the sentences of each question, fitted to the answering
# ones on the development halves of the shipped question sets.
RANKING = Evidence(
    meaning=6.2, topic=7.3, context=4.2, words=2.5, kind=0.85, speaker=2.7, length=1.5
)
# What tells whether the best sentence answers: logistic regression on the same halves. Words in
# common are left out: near misses have them too.
ANSWERING = Evidence(
    meaning=4.2, topic=0.0, context=0.0, words=0.0, kind=0.0, speaker=1.3, length=0.0
)
ANSWERING_BIAS = -1.95


class SentencePicker:
    """Ranks sentences by evidence. Sentence vectors are remembered between questions."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._vectors: dict[str, Vectors] = {}

    def read(self, question: str, passages: Sequence[Passage], /) -> list[list[Span]]:
        evidence = self.evidence(question, passages)
        ranked = [row for rows in evidence for row in rows]
        if not ranked:
            return [[] for _ in passages]
        # The best sentence's score says how likely it answers; the others are as far behind it
        # as they rank.
        best = max(ranked, key=rank)
        shift = answering(best) - rank(best)
        kind = kind_of(question)
        result = []
        for passage, rows in zip(passages, evidence, strict=True):
            order = sorted(zip(passage.sentences, rows, strict=True), key=lambda one: -rank(one[1]))
            result.append(
                [
                    Span(*narrow(question, kind, passage.text, (s.start, s.end)), rank(row) + shift)
                    for s, row in order[:SPANS_PER_PASSAGE]
                ]
            )
        return result

    def evidence(self, question: str, passages: Sequence[Passage]) -> list[list[Evidence]]:
        """For each passage the evidence for each of its sentences."""
        speakers = {s.speaker for p in passages for s in p.sentences if s.speaker}
        views = [_views(passage, speakers) for passage in passages]
        topic = _without_names(question, speakers)
        vectors = self._embed([text for rows in views for row in rows for text in astuple(row)])
        query, topic_query = self._embedder.embed_passages([question, topic])
        asked = {_stem(word) for word in content_words(question)}
        person = asked_of(question, sorted(speakers))
        rarity = _rarity(passages)
        kind = kind_of(question)
        result = []
        for passage, rows in zip(passages, views, strict=True):
            evidence = []
            for sentence, view in zip(passage.sentences, rows, strict=True):
                words = passage.text[sentence.start : sentence.end]
                evidence.append(
                    Evidence(
                        meaning=float(query @ vectors[view.spoken]),
                        topic=float(topic_query @ vectors[view.nameless]),
                        context=float(query @ vectors[view.in_context]),
                        words=_overlap(asked, view.spoken, rarity),
                        kind=holds(kind, question, words),
                        speaker=_speaks(sentence, words, person),
                        length=min(len(words.split()), 12) / 12,
                    )
                )
            result.append(evidence)
        return result

    def _embed(self, texts: Collection[str]) -> Mapping[str, Vectors]:
        known = self._vectors if len(self._vectors) < REMEMBERED else {}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            vectors = self._embedder.embed_passages(missing)
            # A new mapping, since another thread may be reading the old one.
            known = {**known, **dict(zip(missing, vectors, strict=True))}
            self._vectors = known
        return known


def rank(evidence: Evidence) -> float:
    """The evidence weighed; only its order among the sentences of one question means anything."""
    return _weighed(RANKING, evidence)


def answering(evidence: Evidence) -> float:
    """Log-odds that the best sentence of a question answers it."""
    return ANSWERING_BIAS + _weighed(ANSWERING, evidence)


def _weighed(weights: Evidence, evidence: Evidence) -> float:
    pairs = zip(astuple(weights), astuple(evidence), strict=True)
    return float(sum(weight * value for weight, value in pairs))


@dataclass(frozen=True, slots=True)
class View:
    """What is embedded of a sentence."""

    spoken: str  # with its speaker's name in front
    nameless: str  # with the names of all speakers left out
    in_context: str  # with the sentence before it


def _views(passage: Passage, speakers: Collection[str]) -> list[View]:
    views = []
    before = ""
    for sentence in passage.sentences:
        words = passage.text[sentence.start : sentence.end]
        spoken = f"{sentence.speaker}: {words}" if sentence.speaker else words
        views.append(View(spoken, _without_names(words, speakers), f"{before} {spoken}".strip()))
        before = words
    return views


def _without_names(text: str, speakers: Collection[str]) -> str:
    """The text without its speakers' names and the titles in front of them."""
    parts = sorted({re.escape(part) for name in speakers for part in name.split()})
    if not parts:
        return text
    names = rf"\b(?:(?:president|mr|mrs|ms|dr)\.? )?(?:{'|'.join(parts)})\b(?:['’]s\b)?"
    without = re.sub(rf"(?:{names}\s*)+", "", text, flags=re.IGNORECASE).strip()
    return without if any(map(str.isalnum, without)) else text


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
