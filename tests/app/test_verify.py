"""Claims against the record: exact is exact, and every place is the right one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.verify import Verified, Verifier, places, tokens, verified_object
from index.errors import UsageError
from index.folder import Folder
from tests.fakes import Everything

COUNCIL = """\
Ada Okafor: The bridge will cost eleven million, not nine. Yes.
Ben Lind: Yes.
Ada Okafor: I do not think it can open before the 5th of May. It won't be free.
Ben Lind: She said ‘we can wait’ and we can.
Cy Moe: Yes. Nobody asked me.
"""
FERRY = "Dee Ray: The ferry is free on Sundays, and it can't carry lorries.\nEli Fox: Yes.\n"


@pytest.fixture
def verifier(folder_of: Callable[[dict[str, str]], Folder]) -> Verifier:
    folder = folder_of({"council.txt": COUNCIL, "ferry.txt": FERRY})
    return Verifier(folder, Everything(folder))


def shown(found: Verified) -> list[tuple[str | None, str]]:
    return [(quote.speaker.name if quote.speaker else None, quote.answer) for quote in found.quotes]


@pytest.mark.parametrize(
    "claim",
    [
        "The bridge will cost eleven million, not nine.",
        "the bridge WILL cost\n eleven million, not nine",
        "“The bridge will cost eleven million, not nine.”",
        "'The bridge will cost eleven million, not nine'.",
    ],
)
def test_case_space_quotation_marks_and_a_final_full_stop_may_differ(
    verifier: Verifier, claim: str
) -> None:
    found = verifier.verify(claim)
    assert found.verdict == "exact"
    assert shown(found) == [("Ada Okafor", "The bridge will cost eleven million, not nine")]
    assert found.quotes[0].text == "The bridge will cost eleven million, not nine."
    assert [kind for kind, *_ in found.diff] == ["equal"]


def test_the_style_of_quotation_marks_inside_may_differ(verifier: Verifier) -> None:
    found = verifier.verify('she said "we can wait" and we can')
    assert (found.verdict, shown(found)[0][1]) == ("exact", "She said ‘we can wait’ and we can")
    assert verifier.verify("It won’t be free").verdict == "exact"


@pytest.mark.parametrize(
    ("claim", "diff"),
    [
        (
            "The bridge will cost twelve million, not nine.",
            [("equal", "The bridge will cost", "The bridge will cost"),
             ("replace", "twelve", "eleven"),
             ("equal", "million, not nine", "million, not nine")],
        ),
        (
            "I do think it can open before the 5th of May",
            [("equal", "I do", "I do"), ("insert", "", "not"),
             ("equal", "think it can open before the 5th of May",
              "think it can open before the 5th of May")],
        ),
        (
            "I do not think it can open before the 6th of May",
            [("equal", "I do not think it can open before the", "I do not think it can open "
              "before the"), ("replace", "6th", "5th"), ("equal", "of May", "of May")],
        ),
        (
            "The bridge will cost eleven million not nine",
            [("equal", "The bridge will cost eleven million", "The bridge will cost eleven "
              "million"), ("insert", "", ","), ("equal", "not nine", "not nine")],
        ),
        (
            "Today the bridge will cost eleven million, not nine",
            [("delete", "Today", ""), ("equal", "the bridge will cost eleven million, not nine",
              "The bridge will cost eleven million, not nine")],
        ),
        (
            "The ferry is free on Mondays, and it can carry lorries",
            [("equal", "The ferry is free on", "The ferry is free on"),
             ("replace", "Mondays", "Sundays"), ("equal", ", and it", ", and it"),
             ("replace", "can", "can't"), ("equal", "carry lorries", "carry lorries")],
        ),
    ],
)  # fmt: skip
def test_a_small_change_is_altered_never_exact(
    verifier: Verifier, claim: str, diff: list[tuple[str, str, str]]
) -> None:
    found = verifier.verify(claim)
    assert found.verdict == "altered"
    assert list(found.diff) == diff
    assert len(found.quotes) == 1


def test_every_place_of_repeated_words_is_a_quote_of_its_own(verifier: Verifier) -> None:
    found = verifier.verify("Yes.")
    assert found.verdict == "exact"
    assert shown(found) == [
        ("Ada Okafor", "Yes"),
        ("Ben Lind", "Yes"),
        ("Cy Moe", "Yes"),
        ("Eli Fox", "Yes"),
    ]
    assert len({quote.id for quote in found.quotes}) == 4


def test_a_speaker_has_said_it_or_another_has(verifier: Verifier) -> None:
    assert shown(verifier.verify("yes", speaker="Lind")) == [("Ben Lind", "Yes")]
    other = verifier.verify("Nobody asked me", speaker="Ada Okafor")
    assert (other.verdict, shown(other)) == ("other_speaker", [("Cy Moe", "Nobody asked me")])
    altered = verifier.verify("Nobody ever asked me", speaker="Moe")
    assert (altered.verdict, shown(altered)) == ("altered", [("Cy Moe", "Nobody asked me")])
    assert verifier.verify("Nobody ever asked me", speaker="Ben Lind").verdict == "not_found"
    with pytest.raises(UsageError, match="no speaker 'Zoe' in the index"):
        verifier.verify("yes", speaker="Zoe")


def test_words_of_two_speakers_are_no_quotation(verifier: Verifier) -> None:
    assert verifier.verify("Nobody asked me. The ferry is free").verdict != "exact"
    assert verifier.verify("not nine. Yes. Ben Lind: Yes.").verdict != "exact"


@pytest.mark.parametrize(
    ("record", "claim"),
    [
        ("It fell by 2.5 percent.", "5 percent"),
        ("It was -5 degrees at noon.", "5 degrees at noon"),
        ("There were 1,200 people in the hall.", "200 people in the hall"),
        ("That is non-negotiable for all of us.", "negotiable for all of us"),
        ("We will not meet the 10-year plan.", "year plan"),
    ],
)
def test_a_clipped_number_or_word_is_never_exact(
    folder_of: Callable[[dict[str, str]], Folder], record: str, claim: str
) -> None:
    folder = folder_of({"one.txt": f"Ada: {record}\nBen: Yes.\n"})
    verifier = Verifier(folder, Everything(folder))
    assert verifier.verify(record).verdict == "exact"
    assert verifier.verify(claim).verdict != "exact"


def test_parts_of_words_are_not_words(verifier: Verifier) -> None:
    assert verifier.verify("The bridge will cost eleven mill").verdict == "altered"
    assert verifier.verify("lorrie").verdict == "not_found"


@pytest.mark.parametrize(
    "claim", ["Moscow is a large city in the east", "Жизнь прекрасна", "yes yes yes yes", "x" * 999]
)
def test_what_nobody_says_is_not_found(verifier: Verifier, claim: str) -> None:
    found = verifier.verify(claim)
    assert verified_object(found) == {
        "claim": claim,
        "verdict": "not_found",
        "quotes": [],
        "diff": [],
    }


@pytest.mark.parametrize("claim", ["", " . ", "“”", "?!"])
def test_an_empty_claim_is_refused(verifier: Verifier, claim: str) -> None:
    with pytest.raises(UsageError, match="the claim is empty"):
        verifier.verify(claim)


def test_a_claim_without_end_is_refused(verifier: Verifier) -> None:
    with pytest.raises(UsageError, match="the claim has 20,000 characters"):
        verifier.verify("y" * 20_000)


WORDS = st.lists(
    st.sampled_from(["yes", "no", "Yes,", "it's", "5", "-5", "2.5", "%", "“a”"]), max_size=30
)


@given(WORDS, st.data())
def test_every_stretch_of_a_text_is_found_where_it_stands(
    words: list[str], data: st.DataObject
) -> None:
    text = " ".join(words)
    every = tokens(text)
    if not every:
        return
    first = data.draw(st.integers(0, len(every) - 1))
    last = data.draw(st.integers(first, len(every) - 1))
    keys = [token.key for token in every[first : last + 1]]
    found = list(places(keys, every))
    assert (every[first].start, every[last].end) in found
    for start, end in found:
        assert [token.key for token in tokens(text[start:end])] == keys


@given(WORDS, st.integers(0, 29), st.sampled_from(["not", "6", "Bob"]))
def test_another_word_is_never_exact(words: list[str], at: int, other: str) -> None:
    every = tokens(" ".join(words))
    keys = [token.key for token in every]
    changed = [*keys[:at], other.casefold(), *keys[at:]]
    assert list(places(changed, every)) == []
