"""A run on disk: what is written comes back, a cut run is gone on with, nothing else is touched."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from eval.figures import figures
from eval.rows import Place, Row, Run, begun, read_run, write_rows
from index.errors import OnRecordError, UsageError
from tests.eval.ship import Exchange, cite, manifest, question, reply, row_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def rows(exchange: Exchange) -> list[Row]:
    return exchange.rows()


def write(rows: list[Row], file: Path, **fields: Any) -> list[Row]:
    return list(write_rows(rows, file, manifest(**fields)))


def refusal(file: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_run(file)
    return str(caught.value)


def test_the_first_line_is_the_manifest_and_then_a_line_for_each_row(
    rows: list[Row], file: Path
) -> None:
    write(rows, file)
    first, *lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert first == {"onrecord_run": 1, **asdict(manifest())}
    assert [line["id"] for line in lines] == [row.id for row in rows]
    assert lines[0]["quotes"][0]["answer"] == {"start": 26, "end": 30, "text": "noon"}
    assert lines[0]["golds"] == [{"text": "noon", "start": 26}]
    assert lines[0]["hits"][1] == {"transcript": "ship", "start": 41, "end": 69}


def test_lines_are_written_as_they_come(rows: list[Row], file: Path) -> None:
    written = write_rows(rows, file, manifest())
    next(written)
    next(written)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines[1:]] == ["right", "half"]


def test_what_was_written_comes_back_with_its_figures(rows: list[Row], file: Path) -> None:
    assert write(rows, file) == rows
    assert read_run(file) == Run(manifest(), tuple(rows))
    assert figures(read_run(file).rows) == figures(rows)


def test_any_text_survives_the_lines(file: Path) -> None:
    odd = "caf\N{LATIN SMALL LETTER E WITH ACUTE}\N{LINE SEPARATOR}\n\ud83d\0"
    row = replace(row_of(question("odd", kind=odd), reply(0.1)), error=odd)
    assert write([row], file, questions=1, set=odd) == [row]
    assert read_run(file) == Run(manifest(questions=1, set=odd), (row,))


def test_places_overlap_where_they_share_a_character() -> None:
    noon = Place("ship", 26, 30)
    assert noon.overlaps(Place("ship", 29, 31))
    assert noon.overlaps(Place("ship", 0, 100))
    assert not noon.overlaps(Place("ship", 30, 31))
    assert not noon.overlaps(Place("ship", 20, 26))
    assert not noon.overlaps(Place("boat", 26, 30))


def test_a_run_that_cannot_be_written_is_one_sentence(rows: list[Row], tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "run.jsonl"
    with pytest.raises(OnRecordError) as caught:
        write(rows, nowhere)
    assert str(caught.value) == (
        f"The run cannot be written to {nowhere} (No such file or directory): choose another --out."
    )


# --- Going on ----------------------------------------------------------------------------


@pytest.mark.parametrize("there", [None, b""])
def test_where_there_is_nothing_nothing_was_begun(there: bytes | None, file: Path) -> None:
    if there is not None:
        file.write_bytes(there)
    assert begun(file, manifest()) == []


@pytest.mark.parametrize("cut", [1, 2, 40, 400])
def test_a_cut_last_line_is_taken_away_and_the_rest_is_asked(
    rows: list[Row], file: Path, cut: int
) -> None:
    write(rows, file)
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    # The manifest, four rows, and of the fifth all but the last `cut` bytes.
    file.write_bytes(b"".join(lines[:6])[:-cut])
    assert begun(file, manifest()) == rows[:4]
    assert file.read_bytes() == b"".join(lines[:5])
    write(rows[4:], file)
    assert file.read_bytes() == whole


def test_a_cut_inside_a_character_is_taken_away_too(rows: list[Row], file: Path) -> None:
    write(rows[:1], file)
    whole = file.read_bytes()
    file.write_bytes(whole + '{"id": "ä'.encode()[:-1])
    assert begun(file, manifest()) == rows[:1]
    assert file.read_bytes() == whole


def test_a_run_that_is_whole_is_begun_and_left_as_it_is(rows: list[Row], file: Path) -> None:
    write(rows, file)
    whole = file.read_bytes()
    assert begun(file, manifest(started="later", machine="another", commit="c0ffee")) == rows
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"set_sha256": "0"}, "set of questions"),
        ({"index": "0"}, "index"),
        ({"models": {"embedder": "bag-of-words", "reader": "marker"}}, "model"),
        ({"settings": {"threshold": 0.5, "threads": 1}}, "setting"),
        ({"workers": 2}, "number of workers"),
    ],
)
def test_a_run_of_something_else_is_refused_and_left_as_it_was(
    rows: list[Row], file: Path, other: dict[str, Any], what: str
) -> None:
    write(rows[:2], file)
    cut = file.read_bytes() + b'{"id": "cut'
    file.write_bytes(cut)
    with pytest.raises(UsageError) as caught:
        begun(file, manifest(**other))
    assert str(caught.value) == (
        f"{file} holds a run with another {what}: choose another --out, or delete the file."
    )
    assert file.read_bytes() == cut


NO_RUN = "{} is no run: its first line is not what `onrecord eval run --out` writes."
OTHER_KINDS = [
    b"an essay",
    b"an essay\n",
    b"\n\n",
    b"\xff\xfe\n",
    b"{}\n",
    b"[]\n",
    b"[" * 100_000 + b"\n",
    b'{"id": "seed-001", "question": "a set, not a run"}\n',
    b'{"onrecord_run": 1}\n',
    b'{"onrecord_run": 2, "set": "from the future"}\n',
]


@pytest.mark.parametrize("content", OTHER_KINDS)
def test_a_file_of_another_kind_is_refused_and_left_as_it_was(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        begun(file, manifest())
    assert str(caught.value) == NO_RUN.format(file)
    assert refusal(file) == NO_RUN.format(file)
    assert file.read_bytes() == content


# --- Reading -----------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0, 1, 8])
def test_a_cut_run_says_how_to_go_on(rows: list[Row], file: Path, kept: int) -> None:
    write(rows[:kept], file)
    whole = file.read_bytes() or json.dumps({"onrecord_run": 1, **asdict(manifest())}).encode()
    file.write_bytes(whole + b'{"id": "cut off he')
    assert refusal(file) == (
        f"{file} is cut off: it has {kept} of 9 questions. Go on with it by `onrecord eval run "
        f"ship.jsonl --out {file}` (and the same --index)."
    )


@pytest.mark.parametrize(
    "broken", ["{", "{}", "[]", "7", '{"id": "right"}', "[" * 100_000, "\ufffd"]
)
def test_a_broken_line_in_the_middle_is_named(rows: list[Row], file: Path, broken: str) -> None:
    write(rows, file)
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[3] = broken
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert refusal(file) == (
        f"{file}, line 4: this is no row of a run; delete the file and run the set again."
    )


@pytest.mark.parametrize("change", [{"questions": "9"}, {"questions": None}, {"more": 1}])
def test_a_manifest_that_is_not_as_it_should_be_is_told(
    rows: list[Row], file: Path, change: dict[str, Any]
) -> None:
    write(rows, file)
    first, *lines = file.read_text(encoding="utf-8").splitlines()
    changed = json.dumps({**json.loads(first), **change})
    file.write_text("\n".join([changed, *lines]) + "\n", encoding="utf-8")
    assert refusal(file) == NO_RUN.format(file)


@pytest.mark.parametrize(
    "change",
    [
        {"quotes": None},
        {"golds": [{"text": "noon"}]},
        {"golds": [{"text": "noon", "start": "26"}]},
        {"more": 1},
        {"confidence": "high"},
        {"seconds": True},
        {"answerable": 1},
    ],
)
def test_a_row_that_lacks_a_part_or_has_another_is_named(
    rows: list[Row], file: Path, change: dict[str, Any]
) -> None:
    write(rows, file)
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), **change})
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert refusal(file).startswith(f"{file}, line 2: this is no row of a run; ")


def test_what_is_not_there_or_no_file_is_one_sentence(file: Path, tmp_path: Path) -> None:
    assert refusal(file) == f"The run {file} cannot be read: No such file or directory."
    assert refusal(tmp_path) == f"The run {tmp_path} cannot be read: Is a directory."
    file.touch()
    assert refusal(file) == NO_RUN.format(file)


def test_what_the_reader_saw_is_kept(file: Path) -> None:
    found = reply(0.9, [cite("noon", "noon")], hits=["Crete", "noon", "sank first"], read=2)
    row = row_of(question("when", ("noon", 26), speaker_given=False), found)
    write([row], file, questions=1)
    (back,) = read_run(file).rows
    assert (back.read, back.hits, back.relevant) == (2, row.hits, row.relevant)
    assert back.speaker_given is False
    assert back.context == row.context
