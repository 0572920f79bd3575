"""The answerer over fakes: the right words, at their very place, or none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answer import (
    MAX_QUESTION,
    Answerer,
    Policy,
    Quote,
    Source,
    answer_object,
    checked,
    passages_of,
    quote_of,
)
from index.errors import UsageError
from index.retrieve import HybridRetriever, Query
from index.transcript import Speaker
from tests.app.conftest import DIARY
from tests.fakes import Everything, Marker, OverlapReader
from tests.fixtures.shelf import Shelf
from tests.fixtures.transcripts import MEETING, REPORT

Place = tuple[str, int, int, float]


@pytest.fixture
def answerer(stocked: Shelf) -> Answerer:
    """Searches and reads by shared words."""
    folder = stocked.open()
    retriever = HybridRetriever(folder, stocked.embedder)
    return Answerer(folder, retriever, OverlapReader(), Policy())


@pytest.fixture
def aimed(stocked: Shelf) -> Callable[..., Answerer]:
    """Makes an answerer whose reader marks just those places."""

    def make(*places: Place, policy: Policy | None = None) -> Answerer:
        folder = stocked.open()
        everything = Everything(folder)
        return Answerer(folder, everything, Marker(everything, *places), policy or Policy())

    return make


def place(name: str, text: str, words: str, score: float = 3.0, nth: int = 1) -> Place:
    """Where `words` stand in a transcript for the nth time."""
    start = -1
    for _ in range(nth):
        start = text.index(words, start + 1)
    return name, start, start + len(words), score


def meeting(words: str, score: float = 3.0, nth: int = 1) -> Place:
    return place("meeting", MEETING, words, score, nth)


def test_the_reader_is_told_how_far_behind_the_first_a_passage_was_found(stocked: Shelf) -> None:
    folder = stocked.open()
    hits = HybridRetriever(folder, stocked.embedder).retrieve(Query("Who pays?"), 4)
    behind = [passage.behind for passage in passages_of(folder, hits)]
    assert behind[0] == 0.0
    assert behind == pytest.approx([hits[0].score - hit.score for hit in hits])
    assert behind == sorted(behind)
    assert behind[-1] > 0


# --- A quote and its place ------------------------------------------------------------------


def test_a_quote_is_the_whole_sentence_around_the_answer(aimed: Callable[..., Answerer]) -> None:
    (quote,) = aimed(meeting("eleven million")).ask("How much?").quotes
    start = MEETING.index("The bridge will")
    assert quote == Quote(
        source=Source("meeting", "Meeting", sha256(MEETING.encode()).hexdigest(), None),
        start=start,
        end=start + 46,
        text="The bridge will cost eleven million, not nine.",
        answer_start=start + 21,
        answer_end=start + 35,
        speaker=Speaker("Ben Lindqvist", "label"),
        said_at=(9.0, 31.0),
        prefix="\n[00:00:09] Ben Lindqvist: Yes. ",
        suffix="\n[00:00:31] Ada Okafor: Yes. I r",
        score=3.0,
    )
    assert quote.answer == "eleven million"


@pytest.mark.parametrize(
    ("nth", "speaker", "said_at"),
    [(1, "Ben Lindqvist", (9, 31)), (2, "Ada Okafor", (31, 62)), (3, "Ben Lindqvist", (84, 84))],
)
def test_the_same_word_three_times_is_three_quotes(
    aimed: Callable[..., Answerer], nth: int, speaker: str, said_at: tuple[float, float]
) -> None:
    (quote,) = aimed(meeting("Yes", nth=nth)).ask("Did they agree?").quotes
    assert (quote.text, quote.answer) == ("Yes.", "Yes")
    assert quote.start == meeting("Yes", nth=nth)[1]
    assert quote.speaker == Speaker(speaker, "label")
    assert quote.said_at == said_at


def test_an_answer_over_two_sentences_shows_both(aimed: Callable[..., Answerer]) -> None:
    (quote,) = aimed(meeting("Yes. The bridge")).ask("Is it?").quotes
    assert quote.text == "Yes. The bridge will cost eleven million, not nine."
    assert quote.answer == "Yes. The bridge"


def test_a_line_without_a_label_is_its_turns(aimed: Callable[..., Answerer]) -> None:
    (quote,) = aimed(meeting("who pays")).ask("Who pays?").quotes
    assert quote.text == "And who pays for the new lighthouse?"
    assert quote.speaker == Speaker("Ada Okafor", "label")
    assert quote.said_at == (31.0, 62.0)


def test_narration_has_no_speaker_and_a_quotation_its_own(aimed: Callable[..., Answerer]) -> None:
    told, said = place("report", REPORT, "four hundred"), place("report", REPORT, "bicycles", 2.9)
    narrated, quoted = aimed(told, said).ask("How many?").quotes
    assert (narrated.speaker, narrated.said_at) == (None, None)
    assert quoted.speaker == Speaker("Jane Doe", "narration")
    assert quoted.text == "It will carry bicycles free."


def test_a_label_is_shown_with_its_turn_and_is_its_speakers(
    aimed: Callable[..., Answerer],
) -> None:
    (quote,) = aimed(meeting("Ben Lindqvist", nth=2)).ask("Who says that the county pays?").quotes
    assert quote.answer == "Ben Lindqvist"
    assert quote.text == (
        "Ben Lindqvist: The county pays for the lighthouse, because the harbour belongs to it."
    )
    assert quote.speaker == Speaker("Ben Lindqvist", "label")
    assert quote.said_at == (62.0, 80.0)


@pytest.mark.parametrize(
    ("turn", "marked", "shown"),
    [
        ("**Ada Okafor:** It is so.", "Ada Okafor", "**Ada Okafor:** It is so."),
        ("ada-okafor: It is so.", "okafor", "ada-okafor: It is so."),
        ("[00:05] **Ada Okafor:** It is so.", "Okafor", "**Ada Okafor:** It is so."),
        ("Ada Okafor: It is so.", "Ada", "Ada Okafor: It is so."),
        ("Dr. Ada van Dijk: It is so.", "van Dijk: It is so", "Dr. Ada van Dijk: It is so."),
    ],
)
def test_a_label_is_shown_whole(turn: str, marked: str, shown: str, shelf: Shelf) -> None:
    text = f"{turn}\nBen: No.\n{turn}\nBen: It is not.\n"
    shelf.write("call.txt", text)
    shelf.build_all()
    folder = shelf.open()
    transcript = folder.transcript("call")
    for start in (text.index(marked), text.rindex(marked)):
        quote = quote_of(folder, transcript, start, start + len(marked), 1.0)
        assert (quote.text, quote.answer) == (shown, marked)
        assert quote.speaker


def test_a_mark_between_words_is_no_label(stocked: Shelf) -> None:
    """The quotation mark before "It will" is nobody's words, but words stand before it."""
    folder = stocked.open()
    transcript = folder.transcript("report")
    start = REPORT.index('"It will')
    assert transcript.segment_at(start) is None
    quote = quote_of(folder, transcript, start, start + len('"It will'), 1.0)
    assert quote.text == '"It will carry bicycles free.'


def test_a_label_and_the_words_behind_it_are_one_quote(aimed: Callable[..., Answerer]) -> None:
    label, words = meeting("Ben Lindqvist", nth=2), meeting("The county pays", 2.9)
    (quote,) = aimed(label, words).ask("Who pays?").quotes
    assert quote.answer == "Ben Lindqvist"


@pytest.mark.parametrize("words", [MEETING[:12], MEETING[-5:]])
def test_prefix_and_suffix_end_with_the_transcript(
    aimed: Callable[..., Answerer], words: str
) -> None:
    (quote,) = aimed(meeting(words.strip())).ask("What?").quotes
    assert quote.prefix == MEETING[max(0, quote.start - 32) : quote.start]
    assert quote.suffix == MEETING[quote.end : quote.end + 32]


@pytest.mark.parametrize(
    ("start", "end", "answer_start", "answer_end"),
    [(0, 4, 2, 2), (0, 4, 3, 5), (2, 4, 1, 3), (0, 4, 3, 2)],
)
def test_an_answer_outside_its_quote_is_refused(
    start: int, end: int, answer_start: int, answer_end: int
) -> None:
    source = Source("t", "T", "0" * 64, None)
    with pytest.raises(ValueError, match=f"answer {answer_start}-{answer_end} is not inside"):
        Quote(source, start, end, "text"[start:end], answer_start, answer_end,
              None, None, "", "", 0.0)  # fmt: skip


@pytest.mark.parametrize("question", ["What does the lighthouse cost?", "Is the crew proud?"])
def test_what_is_found_by_searching_stands_at_its_offsets(
    answerer: Answerer, question: str
) -> None:
    answer = answerer.ask(question)
    texts = {"meeting": MEETING, "report": REPORT, "diary": DIARY}
    found = answer.quotes or answer.nearest
    assert found
    for quote in found:
        text = texts[quote.source.id]
        assert quote.text == text[quote.start : quote.end]
        assert quote.answer == text[quote.answer_start : quote.answer_end]
        assert quote.start <= quote.answer_start < quote.answer_end <= quote.end


# --- The very occurrence --------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """A sentence as it was written down: its place, its turn's, whose it is, and when."""

    start: int
    end: int
    line: tuple[int, int]
    speaker: str
    said_at: tuple[float, float] | None


SENTENCES = [
    "Yes.",
    "Yes.",
    "No, no.",
    "We agree.",
    "I was never asked!",
    "Is that so?",
    "Ja, det är sant.",
    "It stood in the paper, on the front page, that nobody had ever asked for a bridge there.",
]
turns = st.lists(
    st.tuples(
        st.sampled_from(["Ada Okafor", "Ben Lindqvist", "SPEAKER 3", "Zoë Ó Súilleabháin"]),
        st.none() | st.integers(0, 90),  # seconds since the time before, if a time is given
        st.lists(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=5), min_size=1,
                 max_size=2),
    ),
    min_size=2,
    max_size=30,
)  # fmt: skip


def written(drawn: list[tuple[str, int | None, list[list[str]]]]) -> tuple[str, list[Said]]:
    """The drawn turns as a transcript, and every sentence in it. A turn has one line or two."""
    text, now, said = "", 0, []
    times = []
    for _, wait, _ in drawn:
        now += wait or 0
        times.append(None if wait is None else float(now))
    for number, (speaker, _, lines) in enumerate(drawn):
        time = times[number]
        if time is not None:
            text += f"[{int(time) // 3600:02}:{int(time) // 60 % 60:02}:{int(time) % 60:02}] "
            later = [t for t in times[number + 1 :] if t is not None]
        at = None if time is None else (time, later[0] if later else time)
        text += f"{speaker}: "
        for line in lines:
            begin, stop = len(text), len(text) + len(" ".join(line))
            for sentence in line:
                end = len(text) + len(sentence)
                said.append(Said(len(text), end, (begin, stop), speaker, at))
                text += sentence + (" " if end < stop else "\n")
    return text, said


@given(drawn=turns, data=st.data())
def test_the_quote_is_the_very_occurrence_that_was_read(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, int | None, list[list[str]]]],
    data: st.DataObject,
) -> None:
    text, said = written(drawn)
    one = data.draw(st.sampled_from(said))
    shelf = Shelf(tmp_path_factory.mktemp("said"))
    shelf.build(shelf.write("said.txt", text))
    folder = shelf.open()
    everything = Everything(folder)
    marker = Marker(everything, ("said", one.start, one.end, 1.0))
    (quote,) = Answerer(folder, everything, marker, Policy()).ask("Which one?").quotes
    assert (quote.answer_start, quote.answer_end) == (one.start, one.end)
    assert quote.answer == text[one.start : one.end]
    assert quote.text == text[quote.start : quote.end]
    assert one.line[0] <= quote.start
    assert quote.end <= one.line[1]
    assert quote.speaker == Speaker(one.speaker, "label")
    assert quote.said_at == one.said_at


# --- Which quotes, and how many ---------------------------------------------------------------


def test_overlapping_chunks_give_a_sentence_once(
    stocked: Shelf, aimed: Callable[..., Answerer]
) -> None:
    chunks = [chunk for chunk in stocked.open().all_chunks() if chunk.transcript_id == "diary"]
    day = next(n for n in range(1, 22) if DIARY.index(f"number {n} ") >= chunks[1].start)
    _, start, end, _ = place("diary", DIARY, f"number {day} ")
    assert [chunk.start <= start and end <= chunk.end for chunk in chunks[:2]] == [True, True]
    (quote,) = aimed(place("diary", DIARY, f"number {day} ")).ask("Which day?").quotes
    assert quote.text.startswith(f"On day number {day} we sailed")


def test_of_two_answers_in_a_sentence_the_better_is_given(
    aimed: Callable[..., Answerer],
) -> None:
    answer = aimed(meeting("eleven", 2.9), meeting("nine", 3.0), meeting("The bridge", 2.8))
    (quote,) = answer.ask("How much?").quotes
    assert (quote.answer, quote.score) == ("nine", 3.0)


def test_quotes_come_best_first_and_only_near_the_best(aimed: Callable[..., Answerer]) -> None:
    places = [meeting("January", 2.7), meeting("eleven", 3.0), meeting("vote", 2.64)]
    answer = aimed(*places).ask("What was it?")
    assert [quote.answer for quote in answer.quotes] == ["eleven", "January"]
    assert answer.nearest == ()


def test_equal_quotes_come_in_the_order_of_the_text(aimed: Callable[..., Answerer]) -> None:
    found = aimed(meeting("vote"), meeting("eleven"), meeting("Yes", nth=2)).ask("What?").quotes
    assert [quote.start for quote in found] == sorted(quote.start for quote in found)


def test_a_question_for_several_takes_in_more(aimed: Callable[..., Answerer]) -> None:
    several = aimed(meeting("January", 2.0), meeting("eleven", 3.0), meeting("vote", 1.7))
    assert [q.answer for q in several.ask("Which points were made?").quotes] == [
        "eleven",
        "January",
    ]
    assert [q.answer for q in several.ask("Which point was made?").quotes] == ["eleven"]


def test_at_most_as_many_quotes_as_asked_for(aimed: Callable[..., Answerer]) -> None:
    words = ["agenda", "eleven", "January", "lighthouse", "vote"]
    answerer = aimed(*(meeting(word) for word in words))
    assert [len(answerer.ask("What?", quotes=n).quotes) for n in (1, 2, 5, 9)] == [1, 2, 5, 5]
    assert len(answerer.ask("What?").quotes) == Policy().quotes == 3


# --- Refusing -----------------------------------------------------------------------------------


def test_a_refusal_has_no_quotes_and_three_nearest(aimed: Callable[..., Answerer]) -> None:
    words = ["agenda", "eleven", "January", "lighthouse", "vote"]
    answer = aimed(*(meeting(w, -2.0 - n) for n, w in enumerate(words))).ask("What?")
    assert answer.quotes == ()
    assert [quote.answer for quote in answer.nearest] == ["agenda", "eleven", "January"]
    assert answer.confidence == pytest.approx(1 / (1 + math.e**2))


@pytest.mark.parametrize(("score", "answered"), [(0.0, True), (-0.01, False), (0.01, True)])
def test_the_threshold_is_the_least_confidence(
    aimed: Callable[..., Answerer], score: float, answered: bool
) -> None:
    even = aimed(meeting("eleven", score), policy=Policy(threshold=0.5))
    answer = even.ask("What?")
    assert (len(answer.quotes), len(answer.nearest)) == ((1, 0) if answered else (0, 1))


def test_where_nothing_is_found_there_is_nothing_near(aimed: Callable[..., Answerer]) -> None:
    answer = aimed().ask("What?")
    assert (answer.quotes, answer.nearest, answer.confidence) == ((), (), 0.0)


# --- Where it may come from ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Jane Doe", "doe", " DOE ", "jane doe"])
def test_only_the_named_speakers_words_are_quoted(answerer: Answerer, name: str) -> None:
    answer = answerer.ask("Will the ferry carry bicycles?", speaker=name)
    assert [quote.text for quote in answer.quotes] == ["It will carry bicycles free."]
    shown = [*answer.quotes, *answerer.ask("Who is proud of the crew?", speaker=name).nearest]
    assert {quote.speaker.name for quote in shown if quote.speaker} == {"Jane Doe"}
    assert all(quote.speaker for quote in shown)


@pytest.mark.parametrize("name", ["Okafo", "Ada", "", "Nobody"])
def test_an_unknown_speaker_is_refused_with_those_known(answerer: Answerer, name: str) -> None:
    known = "Ida Moe, Per Lie, Ada Okafor, Ben Lindqvist, Tom Hale, Jane Doe"
    with pytest.raises(UsageError) as error:
        answerer.ask("Who pays?", speaker=name)
    assert str(error.value) == f"no speaker {name!r} in the index; it knows {known}."


def test_only_the_named_transcript_is_quoted(answerer: Answerer) -> None:
    answer = answerer.ask("How many miles were sailed on day number 7?", transcript="diary")
    assert {quote.source.id for quote in answer.quotes} == {"diary"}
    assert (answer.transcripts_searched, answer.segments_searched) == (1, 21)
    elsewhere = answerer.ask("How many miles were sailed on day 7?", transcript="meeting")
    assert {quote.source.id for quote in elsewhere.nearest} <= {"meeting"}
    assert elsewhere.quotes == ()


def test_all_is_searched_where_nothing_is_named(stocked: Shelf, answerer: Answerer) -> None:
    counts = stocked.open().manifest.counts
    answer = answerer.ask("Who pays?")
    assert answer.transcripts_searched == 3
    assert answer.segments_searched == counts["segments"]


@pytest.mark.parametrize("name", ["Meeting", "meeting.txt", "", "../meeting"])
def test_an_unknown_transcript_is_refused_with_those_there(answerer: Answerer, name: str) -> None:
    with pytest.raises(UsageError) as error:
        answerer.ask("Who pays?", transcript=name)
    assert (
        str(error.value) == f"no transcript {name!r} in the index; it has diary, meeting, report."
    )


# --- What may be asked --------------------------------------------------------------------------


@pytest.mark.parametrize("question", ["", "  \n", "?!", "🙂🙂", "\u200b", "…"])
def test_an_empty_question_is_refused(answerer: Answerer, question: str) -> None:
    with pytest.raises(UsageError, match="the question is empty; ask something in words"):
        answerer.ask(question)


def test_a_question_without_end_is_refused(answerer: Answerer) -> None:
    with pytest.raises(UsageError) as error:
        answerer.ask("why " * 5_000)
    assert str(error.value) == ("the question has 19,999 characters; ask in at most 2,000.")
    assert checked(" " + "y" * 2_000 + " ") == "y" * 2_000
    answerer.ask("who pays for it? " * 100)


@pytest.mark.parametrize(
    "question", ["Сколько стоит мост?", "橋はいくらですか", "كم يكلف الجسر؟", "क्या पुल है?"]
)
def test_a_question_in_another_script_finds_no_answer(answerer: Answerer, question: str) -> None:
    answer = answerer.ask(question)
    assert (answer.question, answer.quotes) == (question, ())


@pytest.mark.parametrize(
    "question",
    ["bridge\0bridge", 'bridge" OR ("bridge', "'bridge; --", "bridge*", "\udcff bridge"],
)
def test_signs_in_a_question_are_signs(answerer: Answerer, question: str) -> None:
    assert "bridge" in answerer.ask(question).quotes[0].text


def test_the_history_fills_in_a_follow_up(answerer: Answerer) -> None:
    answer = answerer.ask(" And Okafor? ", ["What did Lindqvist say about January?"])
    assert answer.question == "And Okafor?"
    assert answer.resolved_question == "What did Okafor say about January?"


def test_a_follow_up_to_a_follow_up_is_filled_in(answerer: Answerer) -> None:
    history = ["What did Lindqvist say about January?", "And Okafor?"]
    answer = answerer.ask("And the bridge?", history)
    assert answer.resolved_question == "What did Okafor say about the bridge?"
    again = answerer.ask("Why?", history)
    assert again.resolved_question == "Why: What did Okafor say about January?"


def test_a_follow_up_does_not_grow_without_end(answerer: Answerer) -> None:
    history = ["What did Okafor say?", *["And Okafor, Okafor, Okafor?"] * 200]
    answer = answerer.ask("And Okafor, Okafor?", history)
    assert len(answer.resolved_question) <= MAX_QUESTION


# --- Ids ----------------------------------------------------------------------------------------


def test_a_quotes_id_is_computed_as_documented(aimed: Callable[..., Answerer]) -> None:
    (quote,) = aimed(meeting("eleven million")).ask("How much?").quotes
    version = sha256(MEETING.encode()).hexdigest()
    start = MEETING.index("The bridge will")
    facts = f"{version}|{start}|{start + 46}|{start + 21}|{start + 35}"
    assert quote.id == "q_" + sha256(facts.encode()).hexdigest()[:16]


def test_ids_are_the_same_in_another_index_with_more_in_it(
    stocked: Shelf, answerer: Answerer, tmp_path: Path
) -> None:
    question = "Who pays for the lighthouse?"
    other = Shelf(tmp_path / "other")
    other.write("zz/meeting copy.txt", MEETING)
    other.write("aa.txt", "Ann Lee: The tide was high.\nBob Ray: The tide was low.\n")
    other.build_all()
    folder = other.open()
    retriever = HybridRetriever(folder, other.embedder)
    again = Answerer(folder, retriever, OverlapReader(), Policy()).ask(question)
    assert [quote.id for quote in again.quotes] == [q.id for q in answerer.ask(question).quotes]
    assert again.quotes[0].source.id == "meeting-copy"


def test_other_words_of_a_sentence_are_another_quote(aimed: Callable[..., Answerer]) -> None:
    ids = {aimed(meeting(w)).ask("How much?").quotes[0].id for w in ("eleven", "nine", "million")}
    assert len(ids) == 3


# --- The object of the contract -----------------------------------------------------------------


def test_the_answer_as_an_object(aimed: Callable[..., Answerer]) -> None:
    answer = aimed(meeting("eleven million", 1 / 3), meeting("vote", 0.2)).ask("How much?")
    found = answer_object(answer)
    assert {key: found[key] for key in list(found)[:4]} == {
        "question": "How much?",
        "resolved_question": "How much?",
        "answerable": True,
        "confidence": 0.5826,
    }
    assert found["nearest"] == []
    assert found["searched"] == {
        "transcripts": 3,
        "segments": answer.segments_searched,
    }
    first, second = found["quotes"]
    quote = answer.quotes[0]
    assert first == {
        "id": quote.id,
        "n": 1,
        "transcript": {
            "id": "meeting",
            "title": "Meeting",
            "sha256": quote.source.sha256,
            "date": None,
        },
        "start": quote.start,
        "end": quote.end,
        "text": "The bridge will cost eleven million, not nine.",
        "answer": {
            "start": quote.answer_start,
            "end": quote.answer_end,
            "text": "eleven million",
        },
        "speaker": {"name": "Ben Lindqvist", "basis": "label"},
        "said_at": [9.0, 31.0],
        "prefix": quote.prefix,
        "suffix": quote.suffix,
        "score": 0.3333,
        "url": f"/q/{quote.id}",
    }
    assert (second["n"], second["answer"]["text"]) == (2, "vote")
