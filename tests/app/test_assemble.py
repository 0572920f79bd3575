"""A library: it takes up what changes, remembers what it hands out, and hides no damage."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.answer import Policy
from app.assemble import Library, build_seeds, index_transcripts, seeds_folder
from app.feedback import Feedback, Rating
from app.ledger import FILE, Ledger
from app.settings import Settings
from index.embed import DEFAULT_MODEL
from index.errors import IndexFolderError, OnRecordError, UsageError
from tests.fakes import BagOfWords
from tests.fixtures.shelf import Shelf
from tests.fixtures.transcripts import MEETING

PAYS = "Who pays for the lighthouse?"
COUNTY = "The county pays for the lighthouse, because the harbour belongs to it."

pytestmark = pytest.mark.usefixtures("fakes")
SettingsFor = Callable[..., Settings]


@pytest.fixture
def library(own: Shelf, settings_for: SettingsFor) -> Library:
    return Library.open(settings_for(own.index))


def texts(library: Library, question: str = PAYS) -> list[str]:
    return [quote.text for quote in library.ask(question).quotes]


# --- What it answers from ---------------------------------------------------------------------


def test_the_settings_policy_holds(own: Shelf, settings_for: SettingsFor) -> None:
    shy = Library.open(settings_for(own.index, threshold=1.0))
    assert shy.ask(PAYS).quotes == ()
    brief = Library.open(settings_for(own.index, quotes=1))
    assert len(brief.ask("The lighthouse?").quotes) == 1
    assert Policy().quotes > 1


def test_it_tells_what_is_in_it(library: Library) -> None:
    assert [summary.id for summary in library.transcripts()] == ["diary", "meeting", "report"]
    assert library.transcript("meeting").text == MEETING
    with pytest.raises(KeyError):
        library.transcript("none")


def test_the_default_index_is_made_from_the_seeds(tmp_path: Path) -> None:
    told: list[str] = []
    library = Library.open(
        Settings(index=tmp_path / "first"),
        progress=lambda what, done, total: told.append(what),
    )
    seeds = {file.stem for file in seeds_folder().glob("*.txt")}
    assert {summary.id for summary in library.transcripts()} == seeds
    assert {"transcripts", "chunks"} <= set(told)


def test_an_index_that_was_named_is_never_made(tmp_path: Path, settings_for: SettingsFor) -> None:
    with pytest.raises(IndexFolderError, match="there is no index here"):
        Library.open(settings_for(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_the_seeds_can_be_indexed_anywhere(tmp_path: Path) -> None:
    report = build_seeds(tmp_path / "here", Settings(index=tmp_path / "there"))
    assert "trump-putin-call" in report.added
    assert not (tmp_path / "there").exists()


def test_an_index_keeps_its_model_when_it_is_brought_up_to_date(
    own: Shelf, settings_for: SettingsFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_embedder(model: str, **_: object) -> BagOfWords:
        opened.append(model)
        return BagOfWords(model)

    monkeypatch.setattr("app.assemble.open_embedder", open_embedder)
    settings = settings_for(own.index)
    assert index_transcripts(settings, []).unchanged == ("diary", "meeting", "report")
    Library.open(settings)
    index_transcripts(settings_for(own.index / "new"), [own.transcripts])
    assert opened == ["bag-of-words", "bag-of-words", DEFAULT_MODEL]


# --- Ratings ------------------------------------------------------------------------------------


def test_a_rating_is_kept_with_the_quotes_that_it_is_of(own: Shelf, library: Library) -> None:
    answer = library.ask(PAYS)
    ids = tuple(quote.id for quote in answer.quotes)
    kept = library.rate(Rating(PAYS, "right", quotes=ids))
    assert Feedback(own.index).candidates() == [kept]
    assert [quote["id"] for quote in kept.quotes] == list(ids)
    assert kept.quotes[0]["text"] == answer.quotes[0].text


def test_a_quote_that_was_never_handed_out_is_not_rated(own: Shelf, library: Library) -> None:
    with pytest.raises(UsageError, match=r"^the quote q_0 is not on record here; ask"):
        library.rate(Rating(PAYS, "right", quotes=("q_0",)))
    assert Feedback(own.index).candidates() == []


# --- A newer version ----------------------------------------------------------------------------


def test_a_newer_version_is_taken_up(own: Shelf, library: Library) -> None:
    before = library.ask(PAYS).quotes[0]
    own.write("meeting.txt", MEETING.replace("The county", "The parish"))
    own.write("new.txt", "Ann Lee: The tide is high tonight.\nBob Ray: It is low.\n")
    own.build()
    assert COUNTY.replace("county", "parish") in texts(library)
    assert texts(library, "Is the tide high tonight?") == ["The tide is high tonight."]
    assert len(library.transcripts()) == 4
    handed = library.quote(before.id)
    assert handed is not None
    assert handed.state == "changed"
    assert handed.text == MEETING


def test_a_transcript_that_was_taken_out_is_no_longer_quoted(own: Shelf, library: Library) -> None:
    (first, *_) = library.ask(PAYS).quotes
    own.build(remove=("meeting",))
    assert COUNTY not in texts(library)
    handed = library.quote(first.id)
    assert handed is not None
    assert (handed.quote["text"], handed.state) == (first.text, "gone")


def test_questions_are_answered_while_a_newer_version_comes(own: Shelf, library: Library) -> None:
    def ask(_: int) -> set[str]:
        return set(texts(library, "The county pays for the lighthouse?"))

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, n) for n in range(20)]
        for n in range(4):
            own.write("more.txt", f"Ann Lee: The tide is at {n} now.\nBob Ray: It is low.\n")
            own.build()
            asked += [pool.submit(ask, n) for n in range(20)]
        assert all(COUNTY in one.result() for one in asked)


def test_a_newer_version_of_another_model_is_refused_by_every_question(
    own: Shelf, library: Library
) -> None:
    own.embedder = BagOfWords("other-bag")
    own.build()
    for _ in range(2):
        with pytest.raises(IndexFolderError, match="made with other weights of other-bag"):
            library.ask(PAYS)


# --- What was handed out ------------------------------------------------------------------------


def test_every_quote_that_is_shown_can_be_looked_up(own: Shelf, library: Library) -> None:
    refused = library.ask("Does the county own purple zebras, too?")
    assert refused.nearest
    for quote in [*library.ask(PAYS).quotes, *refused.nearest]:
        handed = library.quote(quote.id)
        assert handed is not None
        assert handed.quote["id"] == quote.id
        assert handed.state == "unchanged"
    assert library.quote("q_0") is None
    assert list(Ledger(own.index).prove()) == []


def test_nothing_is_remembered_where_that_is_not_wanted(
    own: Shelf, settings_for: SettingsFor
) -> None:
    library = Library.open(settings_for(own.index), record=False)
    assert texts(library)
    assert not (own.index / FILE).exists()


def test_an_answer_stands_where_it_cannot_be_remembered(
    own: Shelf, library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    (own.index / FILE).mkdir()
    assert COUNTY in texts(library)
    (warning,) = caplog.records
    assert (warning.name, warning.levelno) == ("onrecord", logging.WARNING)
    assert "the quotes could not be recorded" in warning.getMessage()


# --- Damage: an outage is no "no answer" ----------------------------------------------------------


def missing(index: Path) -> None:
    shutil.rmtree(index)


def no_manifest(index: Path) -> None:
    (index / "manifest.json").unlink()


def cut_manifest(index: Path) -> None:
    (index / "manifest.json").write_text((index / "manifest.json").read_text()[:100])


def no_vectors(index: Path) -> None:
    (index / "v-1" / "vectors.faiss").unlink()


def cut_database(index: Path) -> None:
    file = index / "v-1" / "transcripts.sqlite"
    file.write_bytes(file.read_bytes()[:20_000])


def no_database(index: Path) -> None:
    file = index / "v-1" / "transcripts.sqlite"
    file.write_bytes(b"x" * file.stat().st_size)


def replaced(name: str, words: bytes, others: bytes) -> Callable[[Path], None]:
    def damage(index: Path) -> None:
        file = index / "v-1" / name
        data = file.read_bytes()
        assert len(words) == len(others)
        assert words in data
        file.write_bytes(data.replace(words, others))

    return damage


DAMAGES: dict[str, Callable[[Path], None]] = {
    "no folder": missing,
    "no manifest": no_manifest,
    "half a manifest": cut_manifest,
    "no vectors": no_vectors,
    "half a database": cut_database,
    "no database in its file": no_database,
    "no vectors in their file": replaced("vectors.faiss", b"IxFI", b"IxF?"),
    "words that are no text": replaced(
        "transcripts.sqlite", b"county pays", b"county\xff\xfe\xfd\xfc\xfb"
    ),
    "words that nobody said": replaced("transcripts.sqlite", b"county pays", b"police pays"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_index_does_not_answer(
    own: Shelf, settings_for: SettingsFor, damage: Callable[[Path], None]
) -> None:
    damage(own.index)
    with pytest.raises(OnRecordError) as error:
        Library.open(settings_for(own.index)).ask(PAYS)
    assert str(own.index) in str(error.value)


@pytest.mark.parametrize("damage", [missing, no_manifest, cut_manifest])
def test_an_index_that_is_damaged_later_does_not_answer_either(
    own: Shelf, library: Library, damage: Callable[[Path], None]
) -> None:
    assert COUNTY in texts(library)
    damage(own.index)
    for _ in range(2):
        with pytest.raises(OnRecordError):
            library.ask(PAYS)


def test_an_index_that_was_mended_answers_again(own: Shelf, library: Library) -> None:
    shutil.move(own.index / "manifest.json", own.index / "away")
    with pytest.raises(OnRecordError):
        library.ask(PAYS)
    shutil.move(own.index / "away", own.index / "manifest.json")
    assert COUNTY in texts(library)
