"""An index on disk that is damaged, missing or another's: one sentence, and the way out works."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.errors import DamagedIndexError, IndexFolderError
from index.folder import DATABASE, FILES, FORMAT, VECTORS, Folder, has_index
from tests.fixtures.shelf import Shelf
from tests.fixtures.transcripts import MEETING, REPORT

PARTS = list(FILES)


@pytest.fixture
def built(shelf: Shelf) -> Shelf:
    shelf.write("meeting.txt", MEETING)
    shelf.write("report.txt", REPORT)
    shelf.build_all()
    return shelf


def part(shelf: Shelf, name: str) -> Path:
    (found,) = shelf.index.glob(f"v-*/{name}")
    return found


def is_one_sentence(error: BaseException) -> bool:
    text = str(error)
    return text.endswith(".") and "\n" not in text and "Traceback" not in text


def assert_mended(shelf: Shelf, *sources: Path) -> None:
    """`onrecord index` makes it whole again."""
    shelf.build(*sources)
    assert shelf.words() == {"meeting": MEETING, "report": REPORT}
    assert list(shelf.open().prove()) == []
    assert len(list(shelf.index.glob("v-*"))) <= 2


def test_no_index(tmp_path: Path) -> None:
    assert not has_index(tmp_path)
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(IndexFolderError, match=r"there is no index here; make one with"):
            Folder.open(path)


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut by a byte", "cut in half", "longer"])
def test_a_part_that_is_missing_or_cut_short(built: Shelf, name: str, damage: str) -> None:
    file = part(built, name)
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        left = {"empty": b"", "cut by a byte": data[:-1], "cut in half": data[: len(data) // 2]}
        file.write_bytes(left.get(damage, data + b"\0"))
    with pytest.raises(DamagedIndexError, match=name) as caught:
        built.open()
    assert is_one_sentence(caught.value)
    assert str(file) in str(caught.value)
    assert_mended(built, built.transcripts)


def test_missing_vectors_are_mended_without_naming_the_transcripts_again(built: Shelf) -> None:
    part(built, VECTORS).unlink()
    assert_mended(built)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": 2}', b'{"format": 2, "embedder": []}'],
)
def test_a_manifest_of_garbage(built: Shelf, data: bytes) -> None:
    (built.index / "manifest.json").write_bytes(data)
    with pytest.raises(DamagedIndexError, match=r"manifest\.json is missing or damaged") as caught:
        built.open()
    assert is_one_sentence(caught.value)
    assert_mended(built)


@pytest.mark.parametrize("lost", ["files", "counts", "embedder", "generation"])
def test_a_manifest_that_lacks_something(built: Shelf, lost: str) -> None:
    manifest = manifest_of(built)
    del manifest[lost]
    (built.index / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedIndexError, match=r"manifest\.json is missing or damaged"):
        built.open()
    assert_mended(built)


def test_a_manifest_that_is_gone(built: Shelf) -> None:
    (built.index / "manifest.json").unlink()
    with pytest.raises(IndexFolderError, match="there is no index here"):
        built.open()
    assert_mended(built, built.transcripts)


@pytest.mark.parametrize("other", [FORMAT + 1, "1", None])
def test_an_index_of_another_format_is_left_alone(built: Shelf, other: Any) -> None:
    manifest = {**manifest_of(built), "format": other}
    (built.index / "manifest.json").write_text(json.dumps(manifest))
    before = built.contents()
    for use in (built.open, built.build_all):
        with pytest.raises(IndexFolderError, match=f"this index has format {other}") as caught:
            use()
        assert is_one_sentence(caught.value)
    assert built.contents() == before


def test_an_index_of_an_earlier_format_is_brought_up_to_date(built: Shelf) -> None:
    manifest = {**manifest_of(built), "format": FORMAT - 1}
    (built.index / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedIndexError, match="made by an earlier On Record") as caught:
        built.open()
    assert is_one_sentence(caught.value)
    assert_mended(built)


def test_vectors_of_another_index_do_not_fit(built: Shelf, tmp_path: Path) -> None:
    other = Shelf(tmp_path / "other")
    other.write("meeting.txt", MEETING)
    other.build_all()
    shutil.copyfile(part(other, VECTORS), part(built, VECTORS))
    manifest = manifest_of(built)
    manifest["files"][VECTORS] = manifest_of(other)["files"][VECTORS]
    (built.index / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedIndexError, match="has 1 vectors for 2 chunks"):
        built.open().store()
    assert_mended(built)


def test_a_database_damaged_inside_is_mended(built: Shelf) -> None:
    file = part(built, DATABASE)
    data = file.read_bytes()
    for page in range(0, len(data), 4096):
        part(built, DATABASE).write_bytes(data[:page] + b"\xff" * 4096 + data[page + 4096 :])
        assert_mended(built, built.transcripts)


def test_damaged_vectors_are_not_carried_over(built: Shelf) -> None:
    """A vector is kept where it is known to be the one that was stored, else made anew."""
    before = built.open().store().vectors()
    file = part(built, VECTORS)
    data = file.read_bytes()
    file.write_bytes(data[:-4] + b"\x00\x00\x80\x3f")
    built.build()
    np.testing.assert_array_equal(built.open().store().vectors(), before)


def manifest_of(shelf: Shelf) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((shelf.index / "manifest.json").read_text())
    return manifest


# --- prove -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PARTS)
def test_prove_finds_a_flipped_byte_anywhere(built: Shelf, name: str) -> None:
    file = part(built, name)
    data = file.read_bytes()
    for place in range(0, len(data), max(1, len(data) // 40)):
        file.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        assert faults_or_sentence(built), f"byte {place} of {len(data)}"
    file.write_bytes(data)
    assert list(built.open().prove()) == []


@pytest.mark.parametrize("letter", [b"n", b"\xff", b"\0"])
def test_prove_finds_a_changed_letter_of_a_transcript(built: Shelf, letter: bytes) -> None:
    file = part(built, DATABASE)
    data = file.read_bytes()
    place = data.index(b"eleven million") + 2
    file.write_bytes(data[:place] + letter + data[place + 1 :])
    faults = faults_or_sentence(built)
    assert "transcripts.sqlite: its sha256 is not the manifest's" in faults
    if letter == b"n":
        assert "meeting: its text is not the one that was indexed" in faults


def faults_or_sentence(shelf: Shelf) -> list[str]:
    """What prove tells, or the sentence of the error where the part cannot even be opened."""
    try:
        return list(shelf.open().prove())
    except IndexFolderError as error:
        return [str(error)] if is_one_sentence(error) else []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE sentences SET end = end + 400 WHERE start = 23", "lies in no segment"),
        ("UPDATE chunks SET end = 99999", "leaves the text"),
        ("UPDATE segments SET end = 99999", "does not fit"),
        ("DELETE FROM chunks WHERE n = 0", "2 chunks, 2 keyword rows and 2 vectors"),
        ("UPDATE transcripts SET sha256 = 'x' || id", "is not the one that was indexed"),
    ],
)
def test_prove_finds_rows_that_do_not_hold(built: Shelf, change: str, fault: str) -> None:
    with sqlite3.connect(part(built, DATABASE)) as connection:
        assert connection.execute(change).rowcount > 0
    connection.close()
    size = part(built, DATABASE).stat().st_size
    assert size == manifest_of(built)["files"][DATABASE]["bytes"]
    assert any(fault in told for told in faults_or_sentence(built))
