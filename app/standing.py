"""Where the words of a quote stand now, when its transcript has another version.

A permalink shows the words at the place they were cited from, and never moves. Here, and for such
a quote only, they are searched for; what is found is a quote of its own, with its own speaker.
"""

from __future__ import annotations

from itertools import takewhile

from app.answer import CONTEXT, Quote, quote_of
from app.ledger import Handed
from app.verify import places, tokens
from index.folder import Folder

MOST = 3


def standing(handed: Handed, folder: Folder) -> list[Quote]:
    """The places in the indexed version where the same words stand, the likeliest first.

    Words are the same as `app.verify` compares them: case, white space and the style of quotation
    marks may differ. Likeliest is where the same stands around them, then what is nearest to the
    old place. Empty unless the transcript has changed, and where the words are gone.
    """
    if handed.state != "changed":
        return []
    quote = handed.quote
    try:
        transcript = folder.transcript(quote["transcript"]["id"])
    except KeyError:  # taken out since
        return []
    said = tokens(handed.text, quote["start"], quote["end"])
    answer = [
        n
        for n, token in enumerate(said)
        if token.start < quote["answer"]["end"] and quote["answer"]["start"] < token.end
    ]
    if not answer:
        return []
    found = []
    for start, end in places([token.key for token in said], tokens(transcript.text)):
        here = tokens(transcript.text, start, end)
        before = transcript.text[max(0, start - CONTEXT) : start]
        after = transcript.text[end : end + CONTEXT]
        likeness = _alike(before[::-1], quote["prefix"][::-1]) + _alike(after, quote["suffix"])
        span = here[answer[0]].start, here[answer[-1]].end
        found.append((-likeness, abs(start - quote["start"]), span))
    return [quote_of(folder, transcript, *span, 1.0) for _, _, span in sorted(found)[:MOST]]


def _alike(one: str, other: str) -> int:
    """How many characters two texts begin with in common."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
