"""A library with behaviour and no models, for pages to be made over: a table of questions.

One of its transcripts is an attack in every part: id, title, speaker and words.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from app.answer import Answer, Quote, Source, quote_object
from app.feedback import Rating
from app.ledger import Handed
from app.settings import Settings
from index.errors import IndexFolderError, UsageError
from index.formats import read_transcript
from index.transcript import Segment, Speaker, Transcript

SEED = Path(__file__).parents[2] / "seeds" / "trump-putin-call.txt"
ATTACK = (
    "<script>window.hit=1</script><img src=x onerror=window.hit=2> **bold** $$x^2$$ `code` "
    "[x](javascript:alert(1)) ${window.hit=3} {{constructor}}\n\n# Not a heading\n\n&lt;b&gt; "
    "www.evil.example https://evil.example/ <a href=https://evil.example>out</a>"
)
# Characters beyond the first plane count as one, as they do in the offsets; Hebrew runs leftwards.
COIN = "😀 The coin 🪙 is worth 𝟓 crowns 😀."
HEBREW = "הגשר יעלה אחד עשר מיליון."
HOW_LONG = "How long did they talk?"
BRIDGE = "What will the bridge cost?"
MOON = "Who landed on the moon?"


def labelled(name: str, title: str, date: str | None, *turns: tuple[str, str, float]) -> Transcript:
    text, segments = "", []
    for speaker, words, at in turns:
        start = len(text) + len(speaker) + 2
        text += f"{speaker}: {words}\n"
        end = start + len(words)
        segments.append(Segment(start, end, "speech", Speaker(speaker, "label"), (at, at + 5)))
    return Transcript(name, title, text, tuple(segments), "en", date)


class Library:
    """Answers from a table of questions: where the words stand, in which transcript."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        seed, _ = read_transcript(SEED, "trump-putin-call")
        town = labelled(
            "town-hall",
            "Riverside town hall",
            "2024-03-12",
            ("Ada Okafor", "Good evening. One item tonight.", 4),
            ("Ben Lindqvist", "The bridge will cost eleven million, not nine.", 31),
            *[("Ada Okafor", f"Item {n} is noted and there is more to say of it.", 60 + n)
              for n in range(60)],
            ("Ben Lindqvist", "Eleven million. I said so in January.", 3812.5),
        )  # fmt: skip
        attack = Transcript(
            ATTACK,
            ATTACK,
            f"He said\n{ATTACK}\nand left.",
            (Segment(8, 8 + len(ATTACK), "speech", Speaker(ATTACK, "narration")),),
        )
        long = labelled(
            "long",
            "A very long sitting",
            None,
            *[("Clerk", f"Entry {n} is read into the record and is taken as read.", n)
              for n in range(4000)],
        )  # fmt: skip
        letters = labelled("letters", "Letters 🪙", None, ("Ida", COIN, 1), ("רות", HEBREW, 9))
        self.held = {made.id: made for made in (seed, town, attack, long)}
        self.unlisted = {letters.id: letters}
        self.asked: list[tuple[str, list[str]]] = []
        self.rated: list[Rating] = []
        self._handed: dict[str, Handed] = {}

    def ask(
        self,
        question: str,
        history: Sequence[str] = (),
        *,
        transcript: str | None = None,
        speaker: str | None = None,
        quotes: int | None = None,
    ) -> Answer:
        if transcript is not None and transcript not in self.held:
            raise UsageError(f"no transcript {transcript!r} in the index; it has town-hall.")
        answer = self._answer(question, history)
        for quote in (*answer.quotes, *answer.nearest):
            text = self.transcript(quote.source.id).text
            self._handed[quote.id] = Handed(quote_object(quote, 1), text, "unchanged")
        return answer

    def _answer(self, question: str, history: Sequence[str]) -> Answer:
        self.asked.append((question, list(history)))
        if "outage" in question:
            raise IndexFolderError("The index is locked by another process; try again.")
        if "bug" in question:
            raise RuntimeError("secret detail")
        if "slow" in question:
            time.sleep(1.5)
        quotes = {
            HOW_LONG: (
                self.cited(
                    "trump-putin-call", "We just spent ", "two and a half hours", " talking"
                ),
                self.cited("trump-putin-call", "lasted ", "more than two hours", "."),
            ),
            BRIDGE: (
                self.cited("town-hall", "The bridge will cost ", "eleven million", ", not nine."),
                self.cited("trump-putin-call", "", "5,000 young people", " every single week"),
                self.cited("town-hall", "", "Eleven million", ". I said so in January."),
            ),
            "attack": (self.cited(ATTACK, "", ATTACK, ""),),
            ATTACK: (self.cited(ATTACK, "", ATTACK, ""),),
            "letters": (
                self.cited("letters", "😀 The coin 🪙 is worth ", "𝟓 crowns", " 😀."),
                self.cited("letters", "הגשר יעלה ", "אחד עשר", " מיליון."),
            ),
            "long": (self.cited("long", "", "Entry 3210", " is read into the record"),),
        }.get(question, ())
        nearest = (
            self.cited("town-hall", "Good ", "evening", "."),
            self.cited("trump-putin-call", "", "possible venues", " including Turkiye"),
        )
        resolved = "How long did Trump and Putin talk?" if question == HOW_LONG else question
        return Answer(
            question, resolved, quotes, () if quotes else nearest, 0.9, len(self.held), 99, 0.04
        )

    def cited(self, name: str, before: str, words: str, after: str) -> Quote:
        made = self.transcript(name)
        start = made.text.index(before + words + after)
        answer = start + len(before)
        end = answer + len(words)
        segment = made.segment_at(answer)
        assert segment
        return Quote(
            Source(name, made.title, made.sha256, made.date),
            start,
            end + len(after),
            before + words + after,
            answer,
            end,
            segment.speaker,
            segment.at,
            "",
            "",
            1.0,
        )

    def transcripts(self, /) -> list[Transcript]:
        return list(self.held.values())

    def transcript(self, id: str, /) -> Transcript:
        return self.unlisted.get(id) or self.held[id]

    def examples(self, /) -> list[str]:
        return [HOW_LONG, BRIDGE]

    def quote(self, id: str, /) -> Handed | None:
        return self._handed.get(id)

    def standing(self, handed: Handed, /) -> list[Quote]:
        return []

    def rate(self, rating: Rating, /) -> None:
        if rating.question == BRIDGE and rating.verdict == "right":
            raise IndexFolderError("The folder is read-only.")
        self.rated.append(rating)
