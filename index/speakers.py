"""Who says the quoted words of a report, told from the narration around them.

Rules, not a model: a person who is the subject of a verb of saying, or is introduced
("X is a Kremlin aide"), in the narration nearest to the quotation. Where the quotation
itself names that person, or two persons fit, nobody can be told and the speaker stays None.
English narration only; other languages stay None.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from index.transcript import Segment, Speaker

_TITLES = (
    "president vice-president prime minister chancellor king queen prince princess pope mr mrs ms "
    "miss mx dr sir dame lord lady senator sen congressman congresswoman representative rep "
    "secretary governor gov mayor ambassador judge justice professor prof general gen colonel col "
    "captain capt major sergeant lieutenant admiral officer detective inspector chief director "
    "chairman chairwoman chair commissioner councillor premier deputy former spokesman "
    "spokeswoman spokesperson adviser aide minister leader ceo us u.s. uk eu"
).split()
_VERBS = (
    "say says said saying tell tells told telling add adds added adding state states stated "
    "stating confirm confirms confirmed confirming call calls called calling argue argues argued "
    "warn warns warned warning insist insists insisted ask asks asked asking reply replies "
    "replied answer answers answered explain explains explained explaining note notes noted "
    "noting announce announces announced announcing claim claims claimed claiming deny denies "
    "denied denying reject rejects rejected rejecting thank thanks thanked thanking post posts "
    "posted write writes wrote writing tweet tweeted report reports reported describe describes "
    "described describing recall recalls recalled admit admits admitted acknowledge "
    "acknowledges acknowledged promise promises promised vow vows vowed urge urges urged suggest "
    "suggests suggested stress stresses stressed emphasise emphasised emphasize emphasized "
    "continue continued conclude concludes concluded joke joked speak speaks spoke speaking "
    "comment commented respond responds responded declare declares declared believe believes "
    "believed think thinks thought express expresses expressed mention mentions mentioned remark "
    "remarked reveal reveals revealed predict predicts predicted criticise criticised criticize "
    "criticized praise praised accuse accused defend defended"
).split()
_CAPITAL = r"[A-ZÀ-ÖØ-ÞŁŚŽČŠ][^\W\d_]*(?:[-'’][^\W\d_]+)*"
_PERSON = re.compile(rf"{_CAPITAL}(?:\.)?(?:[ ](?:(?:van|von|de|der|al|bin|la|di)[ ])?{_CAPITAL})*")
_VERB_AFTER = re.compile(
    rf"(?:,[^,.]{{0,60}},)?(?:[ ](?:also|then|later|has|had|have|further|\w+ly)){{0,3}}"
    rf"[ ](?:{'|'.join(_VERBS)})\b"
)
_VERB_BEFORE = re.compile(rf"\b(?:{'|'.join(_VERBS)})[ ]$")
_INTRODUCED = re.compile(r",?[ ](?:is|was|are)[ ](?:a|an|the|one)\b")
_PRONOUN = re.compile(rf"\b(?:He|She|he|she)\b(?={_VERB_AFTER.pattern})")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z“\"])")
_CLOSING_MARKS = '"”»“'


@dataclass(frozen=True, slots=True)
class Mention:
    """A person named in the narration, at [start, end) of the stretch that was read."""

    name: str
    start: int
    end: int


def attribute(text: str, segments: Sequence[Segment]) -> list[Segment]:
    """The segments with the speakers of quoted speech filled in where they can be told."""
    people = People.found_in(text, segments)
    result: list[Segment] = []
    speaker: str | None = None
    for position, segment in enumerate(segments):
        if segment.kind != "speech":
            result.append(segment)
            continue
        if not _continues(text, segments, position):
            speaker = _speaker_of(text, segments, position, people, speaker)
        known = Speaker(speaker, "narration") if speaker else None
        result.append(replace(segment, speaker=known))
    return result


@dataclass(frozen=True, slots=True)
class People:
    """The persons of a report: surname (or single name) to full names, in order of mention."""

    by_surname: dict[str, list[str]]

    @classmethod
    def found_in(cls, text: str, segments: Sequence[Segment]) -> People:
        """Whoever carries a title, is introduced, or says something anywhere in the text."""
        names: list[str] = []
        surnames = set()
        for segment in segments:
            stretch = text[segment.start : segment.end]
            for found in _PERSON.finditer(stretch):
                words, titled = _without_titles(found.group().split())
                after = stretch[found.end() :]
                told = _VERB_AFTER.match(after) or _VERB_BEFORE.search(stretch[: found.start()])
                if not words or len(words) > 3:
                    continue
                if len(words) > 1:
                    names.append(" ".join(words))
                if titled or (len(words) > 1 and (told or _INTRODUCED.match(after))):
                    surnames.add(words[-1])
        by_surname: dict[str, list[str]] = {surname: [] for surname in surnames}
        for name in dict.fromkeys(names):
            surname = name.split()[-1]
            if surname in surnames:
                by_surname[surname].append(name)
        return cls(by_surname)

    def full_name(self, words: Sequence[str]) -> str | None:
        """The one person that the words name, or None (nobody known, or two of that name)."""
        known = self.by_surname.get(words[-1])
        if known is None:
            return None
        name = " ".join(words)
        if name in known or not known:
            return name
        if len(words) == 1:
            return known[0] if len(known) == 1 else None
        return name if len(words) > 1 else None

    def mentions(self, stretch: str) -> list[Mention]:
        """The persons named in a stretch of text, in order."""
        result = []
        for found in _PERSON.finditer(stretch):
            words, _ = _without_titles(found.group().split())
            name = self.full_name(words) if words else None
            if name:
                result.append(Mention(name, found.start(), found.end()))
        return result


def _without_titles(words: list[str]) -> tuple[list[str], bool]:
    """The words after the last title among them, and whether there was one."""
    words = [word.rstrip(".") if len(word) > 2 else word for word in words]
    titles = [n for n, word in enumerate(words) if word.lower() in _TITLES]
    if not titles:
        return words, False
    return words[titles[-1] + 1 :], True


def _speaker_of(
    text: str,
    segments: Sequence[Segment],
    position: int,
    people: People,
    previous: str | None,
) -> str | None:
    quotation = text[segments[position].start : segments[position].end]
    named_inside = {mention.name for mention in people.mentions(quotation)}
    for stretch in _narration_around(text, segments, position):
        candidates = _candidates(stretch, people, previous)
        if candidates:
            left = [name for name in candidates if name not in named_inside]
            return left[0] if len(left) == 1 else None
    return None


def _narration_around(text: str, segments: Sequence[Segment], position: int) -> list[str]:
    """The narration a quotation may be attributed by: its own line's first, else before it."""
    here = segments[position]
    line_start = text.rfind("\n", 0, here.start) + 1
    line_end = text.find("\n", here.end)
    line_end = len(text) if line_end < 0 else line_end
    same_line = [
        text[other.start : other.end]
        for other in segments
        if other.kind == "narration" and line_start <= other.start and other.end <= line_end
    ]
    if same_line:
        return same_line
    if position and segments[position - 1].kind == "narration":
        before = segments[position - 1]
        return _SENTENCE.split(text[before.start : before.end])[::-1]
    return []


def _candidates(stretch: str, people: People, previous: str | None) -> list[str]:
    """Who says something in a stretch of narration, or is introduced by it."""
    mentions = people.mentions(stretch)
    names = [
        mention.name
        for mention in mentions
        if _VERB_AFTER.match(stretch[mention.end :])
        or _VERB_BEFORE.search(stretch[: mention.start])
    ]
    if not names and previous and _PRONOUN.search(stretch):
        names = [previous]
    if not names and mentions and _INTRODUCED.match(stretch[mentions[0].end :]):
        names = [mentions[0].name]
    return list(dict.fromkeys(names))


def _continues(text: str, segments: Sequence[Segment], position: int) -> bool:
    """Whether a quotation goes on from the paragraph before, whose marks were left open."""
    if position == 0 or segments[position - 1].kind != "speech":
        return False
    before = segments[position - 1]
    return text[before.end : before.end + 1] not in set(_CLOSING_MARKS)
