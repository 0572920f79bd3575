"""From a sentence to the words in it that answer, by what kind of thing is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

Kind = Literal["who", "when", "where", "how_many", "why", "what"]

_KINDS: tuple[tuple[Kind, str], ...] = (
    ("how_many", r"how (?:many|much|long|often|old|big|large|far)|what (?:share|percentage)"),
    ("when", r"when|(?:which|what) (?:time|date|day|year|month)"),
    ("where", r"where|(?:which|what) (?:city|country|place|town|venues?|places|cities)"),
    ("why", r"why|how come|what(?: is|'s)? the reason|what for|on what grounds"),
    ("who", r"who|whom|whose|(?:which|what) (?:person|man|woman|leader)"),
)
_NUMBER_WORD = (
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|"
    r"fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|billion|dozen|half|both|most)"
)
_NUMBER = rf"(?:[$€£]?\d[\d,.]*\d|[$€£]?\d|\b{_NUMBER_WORD}\b)"
_CAPITAL = r"(?:[A-Z][\w’'-]*|U-S)"
_NAME = rf"{_CAPITAL}(?: (?:(?:of the|of|the|for|and) )?{_CAPITAL})*"
_JOINED = rf"(?:the )?{_NAME}(?:(?:, | and | or |, and |, or )(?:the )?{_NAME})*"

_PATTERNS: dict[Kind, str] = {
    "how_many": rf"(?:(?:over|more than|less than|about|around|nearly|almost|at least|at most|"
    rf"some|up to|every single|only) )*{_NUMBER}(?:[ -]{_NUMBER})*(?: percent|%)?"
    rf"(?: and a (?:half|quarter))?(?: (?:[a-z]+ ){{0,2}}(?:hours?|minutes?|days?|weeks?|months?|"
    rf"years?|dollars|people|calls|times|percent|[a-z]+s)\b)?"
    rf"|much more(?: than [^.,;]+)?|as (?:much|many) as [^.,;]+|as needed|every (?:single )?\w+",
    "when": r"(?:back )?(?:in|since|until|by) (?:\d{4}|(?:January|February|March|April|May|June|"
    r"July|August|September|October|November|December)(?: \d{4})?)"
    r"|(?:both )?before and after [^.,;]+|(?:before|after|once|until|as soon as) [^.,;]+"
    r"|(?:on )?(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)\b"
    r"|at any time|as needed|in the (?:near )?future|every (?:single )?\w+|immediately|today|"
    r"tomorrow|yesterday|(?:last|next|this) (?:week|month|year|\w+day)|\b\d{4}\b"
    r"|\d{1,2}(?::\d\d)? ?(?:am|pm|o'clock)|for now",
    "where": rf"\b(?:in|at|from|near|outside|inside|on|including|to) (?P<x>{_JOINED})"
    r"|(?:out of|from) (?P<y>(?:our|its|their|his|her)(?: \w+){1,2})",
    "who": rf"(?:(?:a|an|the) )?{_JOINED}",
    "why": r"(?:because|since|citing|so that|in order to|due to|thanks to|as a result of|"
    r"the reason is(?: that)?) (?P<x>[^.;]+)",
}
_COMPILED = {kind: re.compile(rf"(?<!\w)(?:{pattern})") for kind, pattern in _PATTERNS.items()}
_LEAD = re.compile(
    r"(?:(?:And|But|So|First|Again|Meanwhile|Well|Yeah|Now|In a separate development),? )+"
)
_REPORTED = re.compile(
    rf"(?:[^,.]*, )?(?:{_NAME}|I|we|We|He|She|They)(?: also| reportedly| then)? (?:said|says|say|"
    r"confirmed|added|stated|noted|believes?|thinks?|think|thought|announced|posted on [^.]*?|"
    r"mentioned|claimed|insisted|warned|would like to note)(?: that)? "
)


def kind_of(question: str) -> Kind:
    """What kind of thing the question asks for."""
    for kind, pattern in _KINDS:
        if re.search(rf"\b(?:{pattern})\b", question, re.IGNORECASE):
            return kind
    return "what"


def holds(kind: Kind, question: str, sentence: str) -> float:
    """1.0 where the sentence holds the kind of thing asked for, beyond what the question says."""
    if kind not in _COMPILED:
        return 0.0
    return 1.0 if any(_candidates(kind, question, sentence)) else 0.0


def narrow(question: str, kind: Kind, text: str, sentence: tuple[int, int]) -> tuple[int, int]:
    """The answering words of text[start:end] as [start, end) in `text`."""
    start, end = sentence
    words = text[start:end]
    for a, b in _candidates(kind, question, words):
        return start + a, start + b
    lead = _LEAD.match(words)
    begin = lead.end() if lead else 0
    reported = _REPORTED.match(words, begin)
    if reported and reported.end() < len(words.rstrip(".?! ")):
        begin = reported.end()
    stop = len(words.rstrip(".?!,;: "))
    return (start + begin, start + stop) if begin < stop else (start, end)


def _candidates(kind: Kind, question: str, sentence: str) -> Iterator[tuple[int, int]]:
    pattern = _COMPILED.get(kind)
    if pattern is None:
        return
    asked = set(re.findall(r"\w+", question.lower()))
    for found in pattern.finditer(sentence):
        groups = found.groupdict()
        name = next((key for key in ("x", "y") if groups.get(key)), None)
        start, end = found.span(name) if name else found.span()
        end -= len(sentence[start:end]) - len(sentence[start:end].rstrip(" ,.;"))
        words = set(re.findall(r"\w+", sentence[start:end].lower()))
        capital = kind == "who" and start == 0 and len(words) == 1
        if words and not words <= asked and not capital:
            yield start, end
