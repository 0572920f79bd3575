"""Example questions made for the transcripts at hand, each tried before it is offered.

Nothing is invented: a question is a fixed frame around a speaker's name and a thing that the
speaker names, and it is offered only where the speaker's own words answer it.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import islice

from app.answer import Answerer, Quote
from index.folder import Folder
from index.keyword import STOP_WORDS

MOST = 4
SPEAKERS = 8  # looked at, those who say most first
TOPICS = 4  # tried for each
_EMPTY = STOP_WORDS | frozenset(
    "bit case course fact heads kind lot part sort thing very way".split()
)

# A thing is named by an article and one or two words, up to where the phrase plainly ends.
_THING = re.compile(
    r"\b(?:the|an?) (?:[a-z]+ )?[a-z]{4,}(?=[.,;:!?]| (?:of|in|on|and|or|is|was|are|for|to|with|at|"
    r"by|that|which|who|will|from|as|has|had)\b)"
)


def examples(folder: Folder, answerer: Answerer) -> list[str]:
    """At most MOST questions that the index answers, each of another speaker if it has any."""
    found: list[str] = []
    for speaker in [*folder.speakers()[:SPEAKERS], None]:
        questions = (_framed(speaker, topic) for topic in topics(folder, speaker))
        # The first that is answered: trying them all would keep the page waiting.
        found += islice((q for q in questions if _is_answered(answerer, q, speaker)), 1)
        if len(found) == MOST:
            break
    return found


def _is_answered(answerer: Answerer, question: str, speaker: str | None) -> bool:
    quotes = answerer.ask(question).quotes
    return bool(quotes) and (speaker is None or _name(quotes[0]) == speaker)


def topics(folder: Folder, speaker: str | None) -> list[str]:
    """The TOPICS things that a speaker (None: the narration) names most often."""
    counts: Counter[str] = Counter()
    for words in folder.words_of(speaker):
        for thing in _THING.findall(words):
            if not any(word in _EMPTY for word in thing.split()[1:]):
                counts[thing] += 1
    # Long words tell more than short ones; ties go to the first that was said.
    ranked = sorted(counts, key=lambda thing: -counts[thing] * min(len(thing), 16))
    return ranked[:TOPICS]


def _framed(speaker: str | None, topic: str) -> str:
    return f"What did {speaker} say about {topic}?" if speaker else f"What is said about {topic}?"


def _name(quote: Quote) -> str | None:
    return quote.speaker.name if quote.speaker else None
