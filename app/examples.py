"""Example questions made for the transcripts at hand, each tried before it is offered.

No sentence is invented: a question is a fixed frame around a speaker's name and words that
this speaker says more than others do, and it is offered only where it is answered by them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from app.answer import Answerer
from index.folder import Folder
from index.keyword import STOP_WORDS

MOST = 4
LOOKED_AT = 5  # transcripts and speakers
_NAME = re.compile(r"[A-Z][\w’'-]+")


def examples(folder: Folder, answerer: Answerer) -> list[str]:
    """At most MOST questions that the index answers, each with another speaker."""
    found: list[str] = []
    for speaker in folder.speakers()[:LOOKED_AT]:
        for topic in topics(folder, speaker):
            question = f"What did {speaker} say about {topic}?"
            answer = answerer.ask(question)
            first = answer.quotes[0] if answer.quotes else None
            if first and first.speaker and first.speaker.name == speaker:
                found.append(question)
                break
        if len(found) == MOST:
            break
    return found


def topics(folder: Folder, speaker: str) -> Iterator[str]:
    """Pairs of words, then words, that a speaker uses, the most telling first."""
    said: Counter[str] = Counter()
    others: Counter[str] = Counter()
    names = {part.lower() for name in folder.speakers() for part in name.split()}
    for summary in folder.summaries()[:LOOKED_AT]:
        transcript = folder.transcript(summary.id)
        for segment in transcript.segments:
            words = re.findall(r"[\w’'-]+", transcript.text[segment.start : segment.end])
            mine = segment.speaker is not None and segment.speaker.name == speaker
            pairs = pairwise(words)
            counter = said if mine else others
            counter.update(f"{a} {b}" for a, b in pairs if _tells(a, names) and _tells(b, names))
    ranked = sorted(said, key=lambda pair: (-said[pair] * len(pair) / (1 + others[pair]), pair))
    yield from ranked[:8]


def _tells(word: str, names: set[str]) -> bool:
    lower = word.lower()
    return len(word) > 3 and lower not in STOP_WORDS and lower not in names and word.isalpha()
