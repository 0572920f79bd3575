"""What a question asks for: whom it names, whether for several things, what a follow-up means.

English wording; a question in another language stands as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LIST = re.compile(
    r"\b(?:which|what) (?:two|three|four|five|several|countries|things|topics|issues|points|"
    r"places|people|conditions|terms|principles)\b|\blist\b|\bname (?:the|all|every)\b|"
    r"\bboth\b|\beach\b|\ball the\b|\bwho (?:are|were) the\b",
    re.IGNORECASE,
)
_PRONOUNS = re.compile(r"\b(he|she|him|his|her|hers)\b", re.IGNORECASE)
_WHAT_ABOUT = re.compile(
    r"(?:and|but|so|ok|okay)?[ ,]*(?:what|how) about (?P<x>[^?]+)\??", re.IGNORECASE
)
_AND_X = re.compile(r"and (?P<x>[^?]{1,60})\??", re.IGNORECASE)
_BARE = re.compile(r"(?P<x>(?:and |but |so )?(?:why|when|where|who|how|how long|how many|"
                   r"how much))\s*\?*", re.IGNORECASE)  # fmt: skip
_SAYING = (
    r"(?:say|says|said|think|thinks|thought|tell|tells|told|want|wants|wanted|ask|asks|asked|"
    r"claim|claims|claimed|describe|describes|described|believe|believes|believed|expect|expects|"
    r"expected|view|opinion|words|account|promise|promised|explain|explains|"
    r"explained|feel|feels|felt|stress|stressed|suggest|suggested|warn|warned|thank|thanked)\b"
)
_ABOUT = re.compile(r"\babout\b.*$", re.IGNORECASE)
_NAME = re.compile(r"\b[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*")
_WH = frozenset(
    "What Who Whom Whose When Where Why Which How Did Do Does Is Are Was Were Has Have Had Can "
    "Could Will Would Should May Might And But So If In On At The A An I It He "
    "She They Then That This".split()
)


_ARTICLES = frozenset("The A An That This".split())
_NO_NOUN = frozenset(
    "in on at to for with about from by and or when before after that if as again yet today of "
    "during while because so but into over then there now not".split()
)


def asks_for_several(question: str) -> bool:
    """Whether the answer is likely to stand in more than one place."""
    return bool(_LIST.search(question))


def named(question: str, speakers: Sequence[str]) -> list[str]:
    """The speakers whose name, or last name, stands in the question."""
    words = {
        word.casefold()
        for word in re.findall(r"\w+", question.replace("'s", " ").replace("’s", " "))
    }
    found = []
    for speaker in speakers:
        parts = re.findall(r"\w+", speaker.casefold())
        if parts and (parts[-1] in words or all(part in words for part in parts)):
            found.append(speaker)
    return found


def asked_of(question: str, speakers: Sequence[str]) -> str | None:
    """The speaker whose words are asked for: the only one named, or the one who says or thinks.

    "What did Putin say about Trump?" asks for Putin's words, "Where did Trump and Putin meet?"
    for nobody's.
    """
    found = named(question, speakers)
    if len(found) == 1:
        return found[0]
    for speaker in found:
        last = re.escape(speaker.split()[-1])
        if re.search(rf"(?:according to|by) (?:\w+ ){{0,2}}{last}\b", question, re.IGNORECASE):
            return speaker
        if re.search(rf"\b{last}(?:['’]s)?(?: \w+)? {_SAYING}", question, re.IGNORECASE):
            return speaker
    return None


def resolve(question: str, history: Sequence[str], speakers: Sequence[str]) -> str:
    """The question with what it takes from the earlier ones put in; itself where nothing.

    `history` holds the conversation's earlier questions as they were resolved, oldest first.
    Handles "and Zelenskyy?", "what about sanctions?", "why?", and he/she/his/her.
    """
    question = question.strip()
    if not history:
        return question
    before = history[-1].strip()
    bare = _BARE.fullmatch(question)
    if bare:
        return f"{bare['x'].strip().capitalize()}: {before}"
    swap = _WHAT_ABOUT.fullmatch(question) or _AND_X.fullmatch(question)
    if swap and swap["x"].split()[0].capitalize() in _WH - _ARTICLES:
        swap = None  # "And did he ...?" is a whole question
    if swap:
        return _swapped(before, swap["x"].strip(), speakers) or question
    if _PRONOUNS.search(question) and not _people(question, speakers):
        for earlier in reversed(history):
            if people := _people(earlier, speakers):
                return _put(people[-1], question)
    return question


def _swapped(before: str, other: str, speakers: Sequence[str]) -> str | None:
    people = _people(before, speakers)
    if named(other, speakers) and people:
        return before.replace(people[-1], other)
    if _ABOUT.search(before):
        return _ABOUT.sub(f"about {other}?", before)
    return None


def _people(question: str, speakers: Sequence[str]) -> list[str]:
    """The stretches of a question that name a speaker, as they are written there."""
    people = []
    for found in _NAME.finditer(question):
        words = re.sub(r"['’]s$", "", found.group()).split()
        while words and words[0] in _WH:
            words.pop(0)
        name = " ".join(words)
        if name and named(name, speakers):
            people.append(name)
    return people


def _put(name: str, question: str) -> str:
    """The question with a name in the place of its pronouns."""

    def put(found: re.Match[str]) -> str:
        pronoun = found.group().lower()
        following = re.match(r" (\w+)", question[found.end() :])
        before_noun = following is not None and following[1].lower() not in _NO_NOUN
        possessive = pronoun in {"his", "hers"} or (pronoun == "her" and before_noun)
        return f"{name}'s" if possessive else name

    return _PRONOUNS.sub(put, question)
