"""An index as it is measured: its answers are those of `onrecord ask`, and a tap tells what was
found on the way.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from app.answer import Policy, answer_object
from app.assemble import Library, seeds_folder
from app.settings import Settings
from eval.questions import load
from eval.rows import Manifest, Place
from eval.run import run
from eval.system import FOUND, Index, Tap, index_of, manifest_of, opened, opened_texts
from index.chunk import Chunk
from index.errors import IndexFolderError, OnRecordError
from index.retrieve import Hit, Query
from index.transcript import text_sha256
from tests.fixtures.transcripts import MEETING, REPORT

pytestmark = pytest.mark.usefixtures("fakes")
TEXTS = {"meeting": MEETING, "report": REPORT}
FERRY = "The ferry costs nothing on Sundays."
QUESTIONS = [
    "What will the bridge cost?",
    "Who pays for the new lighthouse?",
    "How many years has the crew waited for this terminal?",
    "Will the ferry carry bicycles free?",
    "Does anybody sing?",
]


class Numbered:
    """A Retriever of passages that are numbered, as many as it has of those asked for."""

    def __init__(self, has: int = 1000) -> None:
        self.has = has

    def retrieve(self, query: Query, k: int, /) -> list[Hit]:
        return [Hit(Chunk(query.text, n, n + 1), 1.0, 1.0, ()) for n in range(min(k, self.has))]


def test_a_tap_gives_what_is_asked_for_and_remembers_more() -> None:
    tap = Tap(Numbered())
    assert tap.retrieve(Query("a"), 8) == Numbered().retrieve(Query("a"), 8)
    assert tap.found == Numbered().retrieve(Query("a"), FOUND)
    assert tap.read == 8
    assert tap.retrieve(Query("b"), 40) == tap.found == Numbered().retrieve(Query("b"), 40)
    assert tap.read == 40
    few = Tap(Numbered(3))
    assert few.retrieve(Query("c"), 8) == few.found
    assert few.read == 3


def test_each_thread_has_a_tap_of_its_own() -> None:
    tap = Tap(Numbered())
    both_have_asked = threading.Barrier(2, timeout=30)

    def ask(name: str) -> str:
        tap.retrieve(Query(name), 8)
        both_have_asked.wait()
        return tap.found[0].chunk.transcript_id

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, ["a", "b"])) == ["a", "b"]
    assert (tap.found, tap.read) == ([], 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return index_of(TEXTS, tmp_path)


def settings_of(folder: Path, **policy: float) -> Settings:
    return replace(Settings.from_environment(index=folder), policy=Policy(**policy))


def test_an_index_has_its_texts_and_passages(folder: Path) -> None:
    index = Index.open(settings_of(folder))
    assert index.texts == TEXTS
    assert sorted(index.chunks) == ["meeting", "report"]
    assert [chunk for its in index.chunks.values() for chunk in its] == (
        index.parts.folder.all_chunks()
    )


@pytest.mark.parametrize("passages", [1, 8])
def test_its_answers_are_those_that_others_get(folder: Path, passages: int) -> None:
    settings = settings_of(folder, passages=passages)
    index, library = Index.open(settings), Library.open(settings, record=False)
    for question in QUESTIONS:
        measured = dict(index.ask(question).answer)
        given = answer_object(library.ask(question))
        assert round(measured.pop("confidence"), 4) == given.pop("confidence")
        assert {**measured, "seconds": 0} == {**given, "seconds": 0}


def test_a_reply_tells_what_was_found_and_how_much_of_it_was_read(folder: Path) -> None:
    index = Index.open(settings_of(folder, passages=1))
    found = index.ask("What will the bridge cost?")
    chunks = {
        Place(chunk.transcript_id, chunk.start, chunk.end)
        for chunk in index.parts.folder.all_chunks()
    }
    assert set(found.hits) == chunks
    assert found.hits[0].transcript == "meeting"
    assert found.read == 1
    assert found.answer["quotes"][0]["answer"]["text"] == "bridge will cost"
    assert Index.open(settings_of(folder)).ask("What will the bridge cost?").read == len(chunks)


def test_two_workers_find_what_one_does() -> None:
    with opened(None) as index:
        questions = load("seed")[:30]
        one, two = (
            [replace(row, seconds=0.0) for row in run(questions, index, workers)]
            for workers in (1, 2)
        )
    assert one == two
    assert not any(row.error for row in one)


def test_without_a_folder_a_fresh_index_of_the_seeds_is_opened_and_taken_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ONRECORD_INDEX", str(tmp_path / "mine"))
    with opened(None) as index:
        fresh = index.parts.folder.path
        assert fresh.is_dir()
        assert index.texts == {
            file.stem: file.read_text(encoding="utf-8") for file in seeds_folder().glob("*.txt")
        }
    assert not fresh.parent.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_named_folder_is_opened_as_it_is(folder: Path, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    with opened(folder) as index:
        index.ask("What will the bridge cost?")
        assert index.parts.folder.path == folder
    after = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert after == before
    with pytest.raises(IndexFolderError), opened(tmp_path / "nowhere"):
        pass


def test_workers_share_the_threads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONRECORD_THREADS", "5")
    for workers, threads in ((1, 5), (2, 2), (8, 1)):
        with opened(folder, workers=workers) as index:
            assert index.settings.threads == threads


def test_texts_are_opened_as_transcripts_by_their_names() -> None:
    odd = "caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{LINE SEPARATOR} two\nlines."
    with opened_texts({"a-0000": odd, "b-0001": FERRY}) as index:
        assert index.texts == {"a-0000": odd, "b-0001": FERRY}
        temporary = index.parts.folder.path.parent
    assert not temporary.exists()


def test_texts_that_are_not_indexed_are_told(tmp_path: Path) -> None:
    with pytest.raises(OnRecordError, match="not all passages were indexed"):
        index_of({"one": FERRY, "none": ""}, tmp_path)


# --- The manifest ------------------------------------------------------------------------


def manifest(folder: Path, **policy: float) -> Manifest:
    return manifest_of(
        Index.open(settings_of(folder, **policy)), "seed", "dev", load("seed")[:3], 2
    )


def test_a_manifest_says_what_was_run(folder: Path) -> None:
    about = manifest(folder, threshold=0.5)
    assert (about.set, about.split, about.questions, about.workers) == ("seed", "dev", 3, 2)
    assert about.transcripts == {name: text_sha256(text) for name, text in TEXTS.items()}
    assert about.settings == {
        **asdict(Policy(threshold=0.5)), "threads": settings_of(folder).threads
    }  # fmt: skip
    assert about.models["embedder"].startswith("bag-of-words ")
    assert "weights " in about.models["reader"]
    assert {"python", "on-record", "numpy"} <= set(about.versions)


def test_the_same_index_made_again_elsewhere_is_the_same(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    about, again = manifest(folder), manifest(index_of(TEXTS, tmp_path / "elsewhere"))
    assert about.differs(again) is None
    assert (about.index, about.set_sha256) == (again.index, again.set_sha256)


def test_another_text_setting_or_question_is_another_run(folder: Path, tmp_path: Path) -> None:
    about = manifest(folder)
    (tmp_path / "edited").mkdir()
    edited = index_of(
        {**TEXTS, "meeting": MEETING.replace("eleven", "twelve")}, tmp_path / "edited"
    )
    assert about.differs(manifest(edited)) == "index"
    assert about.differs(manifest(folder, threshold=0.5)) == "setting"
    index = Index.open(settings_of(folder))
    questions = load("seed")[:3]
    for others in (questions[:2], questions[::-1], [replace(questions[0], kind="x"), *questions]):
        assert about.differs(manifest_of(index, "seed", "dev", others, 2)) == "set of questions"
    assert about.differs(manifest_of(index, "seed", "dev", questions, 1)) == "number of workers"
    renamed = manifest_of(index, "another name", "dev", questions, 2)
    assert about.differs(renamed) is None
