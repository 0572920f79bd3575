"""The ledger: a quote handed out is found again, word for word, and nobody changes it unseen."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.answer import Quote, Source, quote_object
from app.ledger import FILE, Ledger
from index.errors import IndexFolderError
from index.formats import parse
from index.transcript import Transcript
from tests.fixtures.transcripts import MEETING, REPORT

ELEVEN = MEETING.index("eleven million")


def transcript(text: str = MEETING) -> Transcript:
    return parse(text, "meeting")


def quote(of: Transcript, words: str) -> Quote:
    """The segment that has the words, with them as the answer."""
    start = of.text.index(words)
    segment = of.segment_at(start)
    assert segment is not None
    return Quote(
        source=Source(of.id, of.title, of.sha256, of.date),
        start=segment.start,
        end=segment.end,
        text=of.text[segment.start : segment.end],
        answer_start=start,
        answer_end=start + len(words),
        speaker=segment.speaker,
        said_at=segment.at,
        prefix="",
        suffix="",
        score=1.5,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def record(ledger: Ledger, of: Transcript, *words: str) -> list[str]:
    """Record the words as quotes; gives their ids."""
    quotes = [quote(of, each) for each in words]
    ledger.record(quotes, {of.id: of})
    return [each.id for each in quotes]


def tamper(folder: Path, sql: str, *values: object) -> None:
    with sqlite3.connect(folder / FILE) as connection:
        assert connection.execute(sql, values).rowcount == 1
    connection.close()


def test_what_is_recorded_is_found(ledger: Ledger) -> None:
    meeting = transcript()
    (quote_id,) = record(ledger, meeting, "eleven million")
    found = quote_object(quote(meeting, "eleven million"), 1)
    assert found["answer"]["text"] == "eleven million"
    assert ledger.find(quote_id) == (found, MEETING)
    assert len(ledger) == 1
    assert list(ledger.prove()) == []


def test_every_text_comes_back_as_it_was(ledger: Ledger) -> None:
    said = transcript("Zoë: Naïve 🙂, «ja» & <b>'x'</b>\0!\nBo: Ή;\u2028\n")
    (quote_id,) = record(ledger, said, "«ja» & <b>'x'</b>\0")
    found = ledger.find(quote_id)
    assert found is not None
    assert found[0]["answer"]["text"] == "«ja» & <b>'x'</b>\0"
    assert found[1] == said.text
    assert list(ledger.prove()) == []


@pytest.mark.parametrize("quote_id", ["q_0", "", "' OR 1=1 --", "q_%"])
def test_what_was_never_handed_out_is_not_found(ledger: Ledger, quote_id: str) -> None:
    record(ledger, transcript(), "eleven million")
    assert ledger.find(quote_id) is None


def test_where_nothing_was_recorded_there_is_no_file(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.find("q_0") is None
    assert len(ledger) == 0
    assert list(ledger.prove()) == []
    assert list(tmp_path.iterdir()) == []


def test_recording_again_changes_nothing(ledger: Ledger) -> None:
    meeting = transcript()
    first = record(ledger, meeting, "eleven million", "January")
    assert record(ledger, meeting, "January", "eleven million") == first[::-1]
    assert len(ledger) == 2
    assert [ledger.find(each) is not None for each in first] == [True, True]


def test_the_old_words_are_found_after_the_transcript_has_changed(ledger: Ledger) -> None:
    (old,) = record(ledger, transcript(), "eleven million")
    edited = MEETING.replace("eleven", "twelve")
    (new,) = record(ledger, transcript(edited), "twelve million")
    assert old != new
    for quote_id, text, words in ((old, MEETING, "eleven"), (new, edited, "twelve")):
        found = ledger.find(quote_id)
        assert found is not None
        assert found[0]["text"] == f"Yes. The bridge will cost {words} million, not nine."
        assert found[1] == text
    assert list(ledger.prove()) == []


def test_another_ledger_on_the_folder_has_the_same_quotes(ledger: Ledger, tmp_path: Path) -> None:
    (quote_id,) = record(ledger, transcript(), "eleven million")
    assert Ledger(tmp_path).find(quote_id) == ledger.find(quote_id)


def test_eight_threads_record_at_once(ledger: Ledger) -> None:
    meeting, report = transcript(), parse(REPORT, "report")
    words = ["agenda", "eleven million", "January", "lighthouse", "county", "vote", "favour", "It"]

    def hand_out(n: int) -> str:
        here = words[n % len(words)]
        of = report if here == "It" else meeting
        (quote_id,) = record(ledger, of, here)
        assert ledger.find(quote_id) is not None
        return quote_id

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(hand_out, range(48)))
    assert len(ledger) == len(set(ids)) == 8
    assert list(ledger.prove()) == []


# --- Proving --------------------------------------------------------------------------------


def test_a_changed_transcript_is_found(ledger: Ledger, tmp_path: Path) -> None:
    (quote_id,) = record(ledger, transcript(), "eleven million")
    # The quote's own words stand; another of the transcript does not.
    tamper(tmp_path, "UPDATE versions SET text = replace(text, 'January', 'october')")
    assert list(ledger.prove()) == [
        f"quote {quote_id}: the transcript it was cited from is not as it was"
    ]


def test_a_changed_hash_is_found(ledger: Ledger, tmp_path: Path) -> None:
    (quote_id,) = record(ledger, transcript(), "eleven million")
    tamper(tmp_path, "UPDATE quotes SET quote = replace(quote, ?, ?)",
           transcript().sha256, "0" * 64)  # fmt: skip
    assert list(ledger.prove()) == [
        f"quote {quote_id}: the transcript it was cited from is not as it was"
    ]


def test_a_lost_transcript_is_found(ledger: Ledger, tmp_path: Path) -> None:
    (quote_id,) = record(ledger, transcript(), "eleven million")
    tamper(tmp_path, "DELETE FROM versions")
    assert list(ledger.prove()) == [
        f"quote {quote_id}: the transcript it was cited from is not as it was"
    ]


@pytest.mark.parametrize(
    ("written", "forged"),
    [
        ("cost eleven million, not nine", "cost twelve million, not nine"),
        ('"text": "eleven million"', '"text": "twelve million"'),
        (f'"start": {ELEVEN}', f'"start": {ELEVEN + 1}'),
    ],
)
def test_forged_words_are_found(ledger: Ledger, tmp_path: Path, written: str, forged: str) -> None:
    honest, quote_id = record(ledger, transcript(), "January", "eleven million")
    assert honest != quote_id
    sql = "UPDATE quotes SET quote = replace(quote, ?, ?) WHERE id = ?"
    tamper(tmp_path, sql, written, forged, quote_id)
    assert list(ledger.prove()) == [f"quote {quote_id}: its words do not stand at its offsets"]


def test_a_quote_under_another_id_is_found(ledger: Ledger, tmp_path: Path) -> None:
    """The link of one quote must not come to show another, true to its source as it may be."""
    record(ledger, transcript(), "eleven million")
    tamper(tmp_path, "UPDATE quotes SET id = 'q_0123456789abcdef'")
    (fault,) = ledger.prove()
    assert fault.startswith("quote q_0123456789abcdef: ")


# --- What can go wrong ------------------------------------------------------------------------


def test_where_the_file_cannot_be_written_it_says_so(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(IndexFolderError) as error:
        record(ledger, transcript(), "eleven million")
    assert str(error.value).startswith(f"{tmp_path / FILE}: the quotes could not be recorded (")
    assert str(error.value).endswith("looked up later. Make the folder writable.")


def test_a_file_that_is_no_database_is_told(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database, but long enough to be looked at" * 40)
    for ask in (lambda: ledger.find("q_0"), lambda: list(ledger.prove()), lambda: len(ledger)):
        with pytest.raises(IndexFolderError) as error:
            ask()
        assert str(error.value) == f"{tmp_path / FILE}: cannot be read (file is not a database)."


def test_a_file_that_cannot_be_opened_is_told(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(ledger, transcript(), "January")

    def closed(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr("app.ledger.sqlite3.connect", closed)
    with pytest.raises(IndexFolderError, match=r"cannot be read \(unable to open database file"):
        ledger.find("q_0")


def test_a_busy_file_is_told(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ledger.WAIT", 0.05)
    record(ledger, transcript(), "January")
    other = sqlite3.connect(tmp_path / FILE)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(IndexFolderError, match="the quotes could not be recorded"):
        record(ledger, transcript(), "eleven million")
    other.rollback()
    other.close()
    record(ledger, transcript(), "eleven million")
    assert len(ledger) == 2
