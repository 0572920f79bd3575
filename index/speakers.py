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
# Words that open a sentence with a capital and are no part of the name after them.
_OPENERS = frozenset(
    "then and but so yet when while as after before later meanwhile however although though "
    "today yesterday now still once if for in on at the a an this that here there monday tuesday "
    "wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december".split()
)
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
_OBJECT = re.compile(r"\b(?:for|of|from)(?: \w+){0,2} $")
_AND = re.compile(r",? and (?:[\w.]+ ){0,2}")
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
    flat = text.replace("\n", " ")  # a wrapped line may break a name; offsets stay
    people = People.found_in(flat, segments)
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
            for found in _PERSON.finditer(text, segment.start, segment.end):
                words, titled = _without_titles(found.group().split())
                told = _says(text, found.start(), found.end())
                if not words or len(words) > 3:
                    continue
                if len(words) > 1:
                    names.append(" ".join(words))
                if titled or (len(words) > 1 and (told or _INTRODUCED.match(text, found.end()))):
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
    while words and words[0].lower() in _OPENERS:
        words.pop(0)
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
    for stretch, before in _attributions(text, segments, position):
        met = people.mentions(before)
        he = met[-1].name if met else previous
        strangers = [found for found in _PERSON.finditer(before) if " " in found.group()]
        if strangers and (not met or strangers[-1].start() > met[-1].start):
            he = None  # somebody was named since of whom nothing is known
        if he is None and before and _PRONOUN.search(stretch):
            return None
        candidates = _candidates(stretch, people, he)
        if candidates:
            left = [name for name in candidates if name not in named_inside]
            return left[0] if len(left) == 1 else None
    return None


def _attributions(text: str, segments: Sequence[Segment], position: int) -> list[tuple[str, str]]:
    """The narration that may attribute a quotation, the likeliest first.

    Each with the narration in front of it, where a "he" in it may have been named.
    """
    here = segments[position]
    before = _narration_at(segments, position - 1)
    after = _narration_at(segments, position + 1)
    if after and "\n" in text[here.end : after.start]:
        after = None  # the next line tells of something else
    if before and "\n" in text[before.end : here.start]:
        # The lines before it, the last sentence first, unless its own line goes on to tell.
        earlier = [(sentence, "") for sentence in _sentences(text, before)[::-1]]
        told = text[before.start : before.end].replace("\n", " ")
        return [(_sentences(text, after)[0], told), *earlier] if after else earlier
    lead = _sentences(text, before)[-1] if before else ""
    # "...," said X. Else X said: "...". A comma inside the quotation points behind it.
    points_back = text[here.start : here.end].endswith((",", "?", "!")) and not lead.endswith(":")
    if after and (points_back or not before):
        context = text[before.start : before.end] if before else ""
        return [(_sentences(text, after)[0], context)]
    return [(lead, "")] if before else []


def _narration_at(segments: Sequence[Segment], position: int) -> Segment | None:
    inside = 0 <= position < len(segments) and segments[position].kind == "narration"
    return segments[position] if inside else None


def _sentences(text: str, segment: Segment) -> list[str]:
    return _SENTENCE.split(text[segment.start : segment.end].replace("\n", " "))


def _candidates(stretch: str, people: People, he: str | None) -> list[str]:
    """Who says something in a stretch of narration, or is introduced by it."""
    mentions = people.mentions(stretch)
    names: list[str] = []
    for mention, previous in zip(mentions, [None, *mentions], strict=False):
        if _OBJECT.search(stretch[max(0, mention.start - 40) : mention.start]):
            continue  # "a spokesman for X said"
        if _says(stretch, mention.start, mention.end):
            if previous and _AND.fullmatch(stretch[previous.end : mention.start]):
                names.append(previous.name)
            names.append(mention.name)
    if not names and he and _PRONOUN.search(stretch):
        names = [he]
    if not names and mentions and _INTRODUCED.match(stretch, mentions[0].end):
        names = [mentions[0].name]
    return list(dict.fromkeys(names))


def _says(text: str, start: int, end: int) -> bool:
    """Whether the person named at [start, end) is the subject of a verb of saying."""
    return bool(
        _VERB_AFTER.match(text, end) or _VERB_BEFORE.search(text[max(0, start - 20) : start])
    )


def _continues(text: str, segments: Sequence[Segment], position: int) -> bool:
    """Whether a quotation goes on from the paragraph before, whose marks were left open."""
    if position == 0 or segments[position - 1].kind != "speech":
        return False
    before = segments[position - 1]
    return text[before.end : before.end + 1] not in set(_CLOSING_MARKS)
