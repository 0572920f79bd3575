"""The command line: what it prints and where, how it exits, and what it says of a mishap.

Most of it runs in this process over fakes; what only a process can show runs in one.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.cli import main
from app.reader.evidence import EvidenceReader
from app.reader.span import MODEL
from index.store import Vectors
from tests.conftest import ROOT
from tests.fakes import BagOfWords
from tests.fixtures.shelf import Shelf
from tests.fixtures.transcripts import MEETING

ONRECORD = Path(sys.executable).parent / "onrecord"
PAYS = "Who pays for the lighthouse?"
COUNTY = "The county pays for the lighthouse, because the harbour belongs to it."
FAKED = (
    "import sys; from tests.fakes import assemble_fakes; assemble_fakes(); "
    "from app.cli import main; sys.exit(main(sys.argv[1:]))"
)
# Root may write anywhere. This gives that up (PR_CAPBSET_DROP, CAP_DAC_OVERRIDE) and starts anew.
UNPRIVILEGED = """
import ctypes, os, sys
if os.geteuid() == 0 and "--dropped" not in sys.argv:
    ctypes.CDLL(None).prctl(24, 1)
    os.execv(sys.executable, [*sys.orig_argv, "--dropped"])
sys.argv = [word for word in sys.argv if word != "--dropped"]
"""

pytestmark = pytest.mark.usefixtures("fakes")
Captured = pytest.CaptureFixture[str]


def run(*words: object) -> int:
    """One command, as typed."""
    return main([str(word) for word in words])


def sentence(text: str) -> str:
    """What stands on standard error, which must be one sentence of the program's own."""
    assert text.startswith("onrecord: ")
    assert text.endswith(".\n")
    assert text.count("\n") == 1
    return text.removeprefix("onrecord: ").rstrip("\n")


def start(command: Sequence[object], **options: Any) -> subprocess.CompletedProcess[str]:
    """A process of its own, run to its end."""
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, **options
    )


@pytest.fixture
def index(stocked: Shelf) -> Path:
    """The index of the meeting, the report and the diary; only to be read."""
    return stocked.index


# --- ask: answers, refusals, usage --------------------------------------------------------------


def test_an_answer_is_its_words_and_where_they_stand(index: Path, capsys: Captured) -> None:
    assert run("ask", PAYS, "--index", index, "--k", 1, "--speaker", "lindqvist") == 0
    out, err = capsys.readouterr()
    start = MEETING.index(COUNTY)
    pattern = re.escape(
        f"\n[1] {COUNTY}\n    Ben Lindqvist · 0:01:02 · Meeting · "
        f"characters {start}-{start + len(COUNTY)} · q_"
    )
    assert re.fullmatch(pattern + "[0-9a-f]{16}\n", out)
    assert err == ""


def test_a_refusal_is_an_answer(index: Path, capsys: Captured) -> None:
    assert run("ask", "Does the county own purple zebras, too?", "--index", index) == 0
    out, err = capsys.readouterr()
    assert out.startswith(
        "Nobody says that on the record.\nNearest quotes, which do not answer:\n\n[1] The county"
    )
    assert err == ""


def test_where_nothing_is_near_nothing_is_shown(index: Path, capsys: Captured) -> None:
    assert run("ask", "Zebras?", "--index", index) == 0
    assert capsys.readouterr().out == "Nobody says that on the record.\n"


def test_json_stands_alone_on_standard_output(index: Path, capsys: Captured) -> None:
    assert run("ask", PAYS, "--json", "--index", index) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert out.count("\n") == 1
    assert answer["answerable"] is True
    assert COUNTY in [quote["text"] for quote in answer["quotes"]]
    assert answer["searched"]["transcripts"] == 3
    assert err == ""


def test_the_options_restrict_the_answer(index: Path, capsys: Captured) -> None:
    for options, speakers, sources in (
        (["--speaker", "Okafor"], {"Ada Okafor"}, {"meeting"}),
        (["--transcript", "report"], {"Jane Doe", "Tom Hale", None}, {"report"}),
    ):
        assert (
            run("ask", "Will it carry the lighthouse?", "--json", "--index", index, *options) == 0
        )
        answer = json.loads(capsys.readouterr().out)
        found = answer["quotes"] or answer["nearest"]
        assert found
        assert {quote["speaker"] and quote["speaker"]["name"] for quote in found} <= speakers
        assert {quote["transcript"]["id"] for quote in found} == sources


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "give one question, or a file of them with --batch."),
        (["Who?", "--batch", "x.jsonl"], "give one question, or a file of them with --batch."),
        (["?!"], "the question is empty; ask something in words."),
        ([""], "the question is empty; ask something in words."),
        (["y" * 2_001], "the question has 2,001 characters; ask in at most 2,000."),
        (
            ["Who?", "--transcript", "none"],
            "no transcript 'none' in the index; it has diary, meeting, report.",
        ),
        (
            ["Who?", "--speaker", "Nobody"],
            "no speaker 'Nobody' in the index; it knows Ida Moe, Per Lie, Ada Okafor, "
            "Ben Lindqvist, Tom Hale, Jane Doe.",
        ),
        (["--batch", "/none.jsonl"], "/none.jsonl: cannot be read (No such file or directory)."),
        (["--batch", "/"], "/: cannot be read (Is a directory)."),
        (
            ["--batch", "x.jsonl", "--speaker", "Doe"],
            "with --batch, a speaker or transcript is named in each line of the file.",
        ),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(
    index: Path, capsys: Captured, words: list[str], told: str
) -> None:
    assert run("ask", *words, "--json", "--index", index) == 2
    out, err = capsys.readouterr()
    assert sentence(err) == told
    assert out == ""


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["shout"],
        ["ask", "Who?", "--k", "0"],
        ["ask", "Who?", "--k", "two"],
        ["ask", "Who?", "--loud"],
        ["serve", "--port", "65536"],
        ["serve", "--port", "http"],
        ["keys"],
        ["keys", "add", "wiki", "--expires", "soon"],
        ["keys", "add", "wiki", "--expires", "0d"],
    ],
)
def test_what_cannot_be_parsed_exits_with_2(capsys: Captured, words: list[str]) -> None:
    with pytest.raises(SystemExit) as error:
        run(*words)
    assert error.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: onrecord")
    assert " _" not in err  # a name of the program's own


def test_a_bad_setting_is_wrong_usage(
    index: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONRECORD_THRESHOLD", "half")
    assert run("ask", PAYS, "--index", index) == 2
    told = sentence(capsys.readouterr().err)
    assert told == "ONRECORD_THRESHOLD is 'half'; it takes a number from 0 to 1."


# --- verify, cite ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([COUNTY], "Exact: these words stand in the record."),
        (
            [COUNTY, "--speaker", "Okafor"],
            "Said by someone else: the words stand in the record, but not as theirs.",
        ),
        (["Zebras sing."], "Not found: nobody says that on the record."),
        (
            ["The county paid for the lighthouse, because the harbour belongs to it"],
            "Altered: the record has other words.\n\n    The county [-paid-] {+pays+} for the "
            "lighthouse, because the harbour belongs to it",
        ),
    ],
)
def test_a_verdict_is_told_with_its_quotes(
    index: Path, capsys: Captured, words: list[str], told: str
) -> None:
    assert run("verify", *words, "--index", index) == 0
    out, err = capsys.readouterr()
    found = "" if told.startswith("Not") else f"\n\n[1] {COUNTY}\n    Ben Lindqvist · 0:01:02 · "
    assert out.startswith(f"{told}{found}")
    assert err == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["verify", " "], "the claim is empty; ask something in words."),
        (["verify", "x" * 20_000], "the claim has 20,000 characters; ask in at most 2,000."),
    ],
)
def test_a_claim_must_be_words(index: Path, capsys: Captured, words: list[str], told: str) -> None:
    assert run(*words, "--index", index) == 2
    assert sentence(capsys.readouterr().err) == told


def test_a_quote_is_cited_by_its_id(
    index: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ask", PAYS, "--json", "--index", index)
    quote = json.loads(capsys.readouterr().out)["quotes"][0]
    monkeypatch.setenv("ONRECORD_URL", "https://wiki.example/qa/")
    assert run("cite", quote["id"], "--index", index, "--as", "text") == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"“{quote['text']}” (")
    assert out.endswith(f", https://wiki.example/qa/q/{quote['id']})\n")
    assert err == ""


def test_an_id_that_was_never_handed_out_cannot_be_cited(index: Path, capsys: Captured) -> None:
    for unknown in ("q_0123456789abcdef", "../etc/passwd", ""):
        assert run("cite", unknown, "--index", index) == 2
        told = sentence(capsys.readouterr().err)
        assert told.startswith(f"{index} never handed out a quote {unknown}; ids come with")


def test_an_address_that_is_none_is_wrong_usage(
    index: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONRECORD_URL", "javascript:alert(1)")
    assert run("cite", "q_0", "--index", index) == 2
    assert sentence(capsys.readouterr().err) == (
        "ONRECORD_URL is 'javascript:alert(1)'; it takes an address that begins with http:// or "
        "https://."
    )


# --- Which index ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["ask", "Who?"], ["check"], ["serve"]])
def test_a_folder_that_was_named_must_hold_an_index(
    tmp_path: Path, capsys: Captured, command: list[str]
) -> None:
    missing = tmp_path / "none"
    assert run(*command, "--index", missing) == 1
    out, err = capsys.readouterr()
    assert sentence(err) == (
        f"{missing}: there is no index here; make one with `onrecord index PATH... "
        f"--index {missing}`."
    )
    assert out == ""
    assert not missing.exists()


def test_the_default_index_is_made_from_the_seeds_on_first_use(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONRECORD_INDEX", str(tmp_path / "first"))
    assert run("ask", "Has Russia banned Amnesty?", "--json") == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert answer["quotes"][0]["transcript"]["id"] == "trump-putin-call"
    assert "Russia has banned Amnesty" in answer["quotes"][0]["text"]
    assert err == ""
    made = (tmp_path / "first" / "manifest.json").read_bytes()
    assert run("ask", "Has Russia banned Amnesty?", "--json") == 0
    assert (tmp_path / "first" / "manifest.json").read_bytes() == made


def test_an_empty_question_makes_no_index(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONRECORD_INDEX", str(tmp_path / "first"))
    assert run("ask", " ") == 2
    assert not (tmp_path / "first").exists()


def test_the_option_wins_over_the_variable(
    index: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONRECORD_INDEX", str(tmp_path / "first"))
    assert run("ask", PAYS, "--index", index) == 0
    assert COUNTY in capsys.readouterr().out
    assert not (tmp_path / "first").exists()


def test_an_index_of_another_model_is_told(
    index: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONRECORD_MODEL", "another/model")
    assert run("ask", PAYS, "--index", index) == 1
    assert sentence(capsys.readouterr().err) == (
        f"{index}: the index was made with the model bag-of-words, the settings name "
        "another/model; index the transcripts again, or leave ONRECORD_MODEL out."
    )
    monkeypatch.delenv("ONRECORD_MODEL")
    other = Shelf(tmp_path)
    other.embedder = BagOfWords("other-bag")
    other.build(other.write("meeting.txt", MEETING))
    assert run("ask", PAYS, "--index", other.index) == 1
    told = sentence(capsys.readouterr().err)
    assert told.startswith(f"{other.index}: the index was made with other weights of other-bag (")
    assert told.endswith("run `onrecord index` to make it again.")


# --- index ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["reader.onnx", "tokenizer.json", "model.json"])
def test_a_reader_cut_short_is_told_and_no_other_takes_its_place(
    index: Path,
    tmp_path: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    (folder / part).write_bytes((folder / part).read_bytes()[:100])
    opened = partial(EvidenceReader.open, folder=folder)
    monkeypatch.setattr("app.assemble.open_reader", opened)
    assert run("ask", PAYS, "--index", index) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(folder) in sentence(captured.err)


def test_index_tells_what_came_and_went(shelf: Shelf, capsys: Captured) -> None:
    shelf.write("meeting.txt", MEETING)
    other = shelf.write("other.txt", "Ann Lee: The tide is high.\nBob Ray: It is low.\n")
    assert run("index", shelf.transcripts, "--index", shelf.index) == 0
    assert capsys.readouterr().out == (
        "added    meeting\nadded    other\n"
        f"{shelf.index}: 2 transcripts (0 unchanged), 9 segments, 2 chunks.\n"
    )
    other.write_text("Ann Lee: The tide was high.\nBob Ray: It is low.\n")
    shelf.write("third.txt", "Ann Lee: It rained.\nBob Ray: It poured.\n")
    (shelf.transcripts / "meeting.txt").unlink()
    assert run("index", "--index", shelf.index) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[:3] == ["added    third", "changed  other", "removed  meeting"]
    assert err == ""


def test_index_passes_over_a_bad_file_and_says_so(shelf: Shelf, capsys: Captured) -> None:
    shelf.write("meeting.txt", MEETING)
    bad = shelf.write("bad.txt", b"\x00\x01\x02")
    assert run("index", shelf.transcripts, "--index", shelf.index) == 1
    out, err = capsys.readouterr()
    assert out.startswith("added    meeting\n")
    told = sentence(err)
    assert told == (f"Passed over: {bad}: not a text file; give the transcript as plain text.")


def test_index_of_nothing_is_told(tmp_path: Path, capsys: Captured) -> None:
    assert run("index", tmp_path / "none", "--index", tmp_path / "index") == 1
    assert "no such file or folder" in sentence(capsys.readouterr().err)


# --- ask --batch ----------------------------------------------------------------------------------


def asked(index: Path, file: Path, capsys: Captured, *words: object) -> tuple[int, list[Any], str]:
    """The exit code, the result of each line, and what stands on standard error."""
    code = run("ask", "--batch", file, "--index", index, *words)
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.split("\n") if line], err


@pytest.fixture
def batch(tmp_path: Path) -> Callable[..., Path]:
    def write(*lines: object, start: bytes = b"", end: bytes = b"\n") -> Path:
        file = tmp_path / "questions.jsonl"
        texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        file.write_bytes(start + end.join(texts) + end)
        return file

    return write


def test_a_batch_is_answered_in_order(
    index: Path, batch: Callable[..., Path], capsys: Captured
) -> None:
    file = batch(
        {"id": "b", "question": PAYS, "answers": [{"text": "county"}], "split": "dev"},
        {"id": "a", "question": "Zebras?"},
        {"id": 7, "question": PAYS},
        {"id": {"n": [1]}, "question": PAYS},
        {"question": PAYS},
    )
    code, results, err = asked(index, file, capsys)
    assert code == 0
    assert [result["id"] for result in results] == ["b", "a", 7, {"n": [1]}, None]
    assert [result["answerable"] for result in results] == [True, False, True, True, True]
    assert err == ""
    main(["ask", PAYS, "--json", "--index", str(index)])
    alone = json.loads(capsys.readouterr().out)
    first = {key: value for key, value in results[0].items() if key not in {"id", "seconds"}}
    assert first == {key: value for key, value in alone.items() if key != "seconds"}


def test_a_bad_line_has_its_error_in_its_place(
    index: Path, batch: Callable[..., Path], capsys: Captured
) -> None:
    file = batch(
        {"id": 1, "question": PAYS},
        b'{"id": 2, "question"',
        {"id": 3, "question": ["Who?"]},
        {"id": 4},
        b"[5]",
        b'"Who?"',
        {"id": 7, "question": " ?"},
        {"id": 8, "question": "Who?", "transcript": "none"},
        {"id": 9, "question": "Who?", "transcript": 9},
        {"id": 10, "question": "Who?", "speaker": "Nobody"},
        {"id": 11, "question": "Who?", "history": "Why?"},
        {"id": 12, "question": "Who?", "history": [12]},
        b"[" * 100_000,
        {"id": 14, "question": PAYS},
    )
    code, results, err = asked(index, file, capsys)
    assert code == 1
    assert [result.get("error") for result in results[:7]] == [
        None,
        "line 2 is not JSON; give one object a line.",
        "line 3: 'question' is missing or is not text.",
        "line 4: 'question' is missing or is not text.",
        "line 5 is not a JSON object with a question.",
        "line 6 is not a JSON object with a question.",
        "the question is empty; ask something in words.",
    ]
    assert results[7]["error"].startswith("no transcript 'none' in the index")
    assert results[8]["error"] == "line 9: 'transcript' is missing or is not text."
    assert results[9]["error"].startswith("no speaker 'Nobody' in the index")
    assert results[10]["error"] == "line 11: 'history' is not a list of questions."
    assert results[11]["error"] == "line 12: 'history' is not a list of questions."
    assert results[12]["error"] == "line 13 is not JSON; give one object a line."
    assert results[13]["answerable"] is True
    ids = [result["id"] for result in results]
    assert ids == [1, None, 3, 4, None, None, 7, 8, 9, 10, 11, 12, None, 14]
    assert all(result.keys() == {"id", "error"} for result in results[1:13])
    assert sentence(err) == "12 of 14 questions could not be asked."


def test_history_speaker_and_transcript_of_a_line_are_heard(
    index: Path, batch: Callable[..., Path], capsys: Captured
) -> None:
    earlier = "What did Lindqvist say about January?"
    file = batch(
        {"id": 1, "question": "And Okafor?", "history": [earlier]},
        {"id": 2, "question": "And Okafor?", "history": [{"question": earlier, "answer": "No."}]},
        {"id": 3, "question": "And Okafor?", "history": []},
        {"id": 4, "question": "The lighthouse?", "speaker": "okafor"},
        {"id": 5, "question": "The harbour?", "transcript": "report"},
        {"id": 6, "question": "The lighthouse?", "speaker": None, "history": None},
    )
    code, results, _ = asked(index, file, capsys)
    assert code == 0
    resolved = [result["resolved_question"] for result in results[:3]]
    assert resolved == ["What did Okafor say about January?"] * 2 + ["And Okafor?"]
    speakers = [{quote["speaker"]["name"] for quote in results[n]["quotes"]} for n in (3, 5)]
    assert speakers == [{"Ada Okafor"}, {"Ada Okafor", "Ben Lindqvist"}]
    shown = results[4]["quotes"] + results[4]["nearest"]
    assert {quote["transcript"]["id"] for quote in shown} <= {"report"}
    assert results[4]["searched"]["transcripts"] == 1


def test_k_holds_for_every_line(index: Path, batch: Callable[..., Path], capsys: Captured) -> None:
    line = {"id": 1, "question": "The lighthouse?"}
    _, results, _ = asked(index, batch(line, line), capsys, "--k", 1)
    assert [len(result["quotes"]) for result in results] == [1, 1]
    _, results, _ = asked(index, batch(line, line), capsys)
    assert [len(result["quotes"]) for result in results] == [2, 2]


def test_byte_order_mark_blank_lines_and_other_line_ends_are_passed_over(
    index: Path, batch: Callable[..., Path], capsys: Captured
) -> None:
    line = {"id": 1, "question": PAYS}
    separated = b'{"id": "\xe2\x80\xa8", "question": "Zebras\xe2\x80\xa9?"}'
    file = batch(b"", line, b"  ", separated, b"", start=b"\xef\xbb\xbf", end=b"\r\n")
    code, results, _ = asked(index, file, capsys)
    assert code == 0
    assert [result["id"] for result in results] == [1, "\u2028"]


def test_a_bad_line_is_told_by_its_number_in_the_file(
    index: Path, batch: Callable[..., Path], capsys: Captured
) -> None:
    code, results, _ = asked(index, batch(b"", b"", b"Who?"), capsys)
    assert code == 1
    assert results == [{"id": None, "error": "line 3 is not JSON; give one object a line."}]


def test_a_broken_byte_breaks_its_own_line_only(
    index: Path, batch: Callable[..., Path], capsys: Captured
) -> None:
    line = {"id": 2, "question": PAYS}
    file = batch(b'{"id": 1, "question": "Zebras\xff?"}', line)
    code, results, _ = asked(index, file, capsys)
    assert code == 0
    assert [result["answerable"] for result in results] == [False, True]


class Strict(BagOfWords):
    """As tokenizers are: a text that UTF-8 cannot hold is an error."""

    def embed_query(self, text: str, /) -> Vectors:
        text.encode()
        return super().embed_query(text)


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": 1, "question": "Who pays \\ud83d for it?"}',
        b'{"id": 1, "question": "Why?", "history": ["Who pays \\ud83d for it?"]}',
        b'{"id": "\\udcff", "question": "Who pays for it?"}',
        b'{"id": 1, "question": "Who pays?", "transcript": "\\ud800"}',
        b'{"id": 1, "question": "Who pays?", "speaker": "\\ud800"}',
    ],
)
def test_half_a_character_in_a_line_does_not_end_the_run(
    index: Path, batch: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    """JSON can spell what no file can hold; standard output here is as strict as a real one."""
    monkeypatch.setattr("app.assemble.open_embedder", lambda *_, **__: Strict())
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr("sys.stdout", out)
    run("ask", "--batch", batch(line, {"id": 2, "question": PAYS}), "--index", index)
    out.seek(0)
    first, second = map(json.loads, out)
    assert "id" in first
    assert (second["id"], second["answerable"]) == (2, True)


def test_a_batch_from_standard_input(
    index: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = json.dumps({"id": "ø", "question": PAYS}, ensure_ascii=False).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))
    assert run("ask", "--batch", "-", "--index", index) == 0
    out = capsys.readouterr().out
    assert out.startswith('{"id": "ø", ')
    assert json.loads(out)["answerable"] is True


def test_an_empty_batch_is_answered_with_nothing(
    index: Path, batch: Callable[..., Path], capsys: Captured
) -> None:
    assert asked(index, batch(b"", b""), capsys) == (0, [], "")


# --- check ----------------------------------------------------------------------------------------


def flip(file: Path, position: int) -> None:
    data = bytearray(file.read_bytes())
    data[position] ^= 0xFF
    file.write_bytes(data)


def test_check_proves_a_sound_index(own: Shelf, capsys: Captured) -> None:
    run("ask", PAYS, "--k", 1, "--index", own.index)
    capsys.readouterr()
    assert run("check", "--index", own.index) == 0
    out, err = capsys.readouterr()
    counts = own.open().manifest.counts
    assert out == (
        f"{own.index}: 3 transcripts, {counts['segments']} segments, {counts['chunks']} chunks "
        "and 1 quotes: every offset and hash holds.\n"
    )
    assert err == ""


@pytest.mark.parametrize("name", ["transcripts.sqlite", "vectors.faiss"])
def test_check_finds_a_flipped_byte_wherever_it_is(own: Shelf, capsys: Captured, name: str) -> None:
    file = own.index / "v-1" / name
    sound = file.read_bytes()
    for position in [0, 1, 18, 30, 50, 101, *range(200, len(sound), len(sound) // 25)]:
        flip(file, position)
        assert run("check", "--index", own.index) == 1, position
        assert capsys.readouterr().err.startswith("onrecord: "), position
        file.write_bytes(sound)
    assert run("check", "--index", own.index) == 0


@pytest.mark.parametrize("broken", [b"\xff", b"\x00", b"x"])
def test_check_finds_a_changed_letter_of_a_transcript(
    own: Shelf, capsys: Captured, broken: bytes
) -> None:
    file = own.index / "v-1" / "transcripts.sqlite"
    data = file.read_bytes()
    assert data.count(b"eleven million") == 1
    file.write_bytes(data.replace(b"eleven million", b"eleven mill" + broken + b"on"))
    assert run("check", "--index", own.index) == 1
    out, err = capsys.readouterr()
    assert "onrecord: transcripts.sqlite: its sha256 is not the manifest's\n" in err
    assert "meeting: its text is not the one that was indexed" in err
    assert out.endswith(" faults.\n")


def test_check_finds_a_forged_quote(own: Shelf, capsys: Captured) -> None:
    run("ask", PAYS, "--k", 1, "--speaker", "Lindqvist", "--index", own.index)
    file = own.index / "quotes.sqlite"
    data = file.read_bytes()
    place = data.index(b'"text": "The county')
    file.write_bytes(data[:place] + b'"text": "The police' + data[place + 19 :])
    capsys.readouterr()
    assert run("check", "--index", own.index) == 1
    err = capsys.readouterr().err
    assert re.fullmatch(
        "onrecord: quote q_[0-9a-f]{16}: its words do not stand at its offsets\n", err
    )


# --- keys -----------------------------------------------------------------------------------------


def test_a_key_is_shown_once_listed_and_revoked(own: Shelf, capsys: Captured) -> None:
    assert run("keys", "add", "wiki", "--expires", "90d", "--index", own.index) == 0
    out, err = capsys.readouterr()
    token = out.strip()
    assert re.fullmatch(r"onrecord_[\w-]{43}", token)
    assert "it is stored as a hash only" in err
    assert run("keys", "add", "bot", "--index", own.index) == 0
    assert capsys.readouterr().out != out
    assert run("keys", "list", "--index", own.index) == 0
    listed = capsys.readouterr().out.splitlines()
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
    assert re.fullmatch(rf"wiki  made {time}  expires {time}", listed[0])
    assert re.fullmatch(rf"bot  made {time}  does not expire", listed[1])
    for file in own.index.glob("keys*"):
        assert token.encode() not in file.read_bytes()
    assert run("keys", "revoke", "wiki", "--index", own.index) == 0
    assert capsys.readouterr().out == "The key wiki opens nothing any more.\n"
    assert run("keys", "list", "--index", own.index) == 0
    assert capsys.readouterr().out.startswith("bot  made")


def test_wrong_use_of_keys_is_told(own: Shelf, capsys: Captured) -> None:
    run("keys", "add", "wiki", "--index", own.index)
    capsys.readouterr()
    for words, told in (
        (["add", "wiki"], "there is a key 'wiki' already; revoke it first."),
        (["revoke", "bot"], "there is no key 'bot'; there is wiki."),
        (
            ["add", "a b"],
            "'a b' cannot name a key; use up to 64 letters, digits, and . _ @ - only.",
        ),
    ):
        assert run("keys", *words, "--index", own.index) == 2
        out, err = capsys.readouterr()
        assert (out, sentence(err)) == ("", told)


# --- What is in the way ---------------------------------------------------------------------------


def test_a_taken_port_is_told(index: Path, capsys: Captured) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run("serve", "--port", port, "--index", index) == 1
    assert sentence(capsys.readouterr().err) == (
        f"port {port} is taken; give another one with --port, or 0 for any."
    )


@pytest.mark.parametrize("host", ["203.0.113.7", "2001:db8::7"])
def test_an_address_that_is_not_ours_is_told(index: Path, capsys: Captured, host: str) -> None:
    words = ["serve", "--host", host, "--open-to-everyone", "--port", 0, "--index", index]
    assert run(*words) == 1
    assert sentence(capsys.readouterr().err).startswith(f"{host}:0: cannot listen there (")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_others_do_not_come_in_unasked(index: Path, capsys: Captured, host: str) -> None:
    assert run("serve", "--host", host, "--port", 0, "--index", index) == 2
    told = sentence(capsys.readouterr().err)
    assert told.startswith(f"others can reach {host}, and nobody would be asked who they are.")
    assert told.endswith("--open-to-everyone lets in everybody.")


def test_a_folder_that_cannot_be_written_answers_and_warns(own: Shelf) -> None:
    index = own.index
    index.chmod(0o555)
    done = start([sys.executable, "-c", UNPRIVILEGED + FAKED, "ask", PAYS, "--json",
                  "--index", index], cwd=ROOT)  # fmt: skip
    assert done.returncode == 0
    assert COUNTY in [quote["text"] for quote in json.loads(done.stdout)["quotes"]]
    assert done.stderr == (
        f"{index / 'quotes.sqlite'}: the quotes could not be recorded (unable to open database "
        "file); the answer stands, but its citations cannot be looked up later. Make the folder "
        "writable.\n"
    )
    done = start([sys.executable, "-c", UNPRIVILEGED + FAKED, "index", "--index", index], cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence(done.stderr) == (
        f"{index}: the index cannot be written here (the folder is read-only); give another "
        "folder with --index, or mend its permissions."
    )
    index.chmod(0o755)


# --- In a process of its own --------------------------------------------------------------------


@pytest.mark.parametrize("program", [[ONRECORD], [sys.executable, "-m", "app"]])
def test_the_command_is_installed(tmp_path: Path, program: list[object]) -> None:
    done = start([*program, "--version"], cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"On Record \d+\.\d+\.\d+\S*\n", done.stdout)
    done = start([*program, "ask", "Who?", "--index", tmp_path / "none"], cwd=ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no index here" in sentence(done.stderr)
    done = start([*program, "ask", "?"], cwd=ROOT)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence(done.stderr) == "the question is empty; ask something in words."


def test_a_reader_that_has_gone_is_no_traceback(index: Path) -> None:
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    for words in ([ONRECORD, "check"], [sys.executable, "-c", FAKED, "ask", PAYS]):
        receiver, sender = os.pipe()
        os.close(receiver)
        done = subprocess.run(
            [*map(str, words), "--index", str(index)],
            cwd=ROOT,
            env=buffered,
            stdout=sender, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        os.close(sender)
        assert (done.returncode, done.stderr) == (1, b"")


def modules(code: str, *words: object) -> set[str]:
    """The top-level modules in a process after it has run the code and then the command."""
    code += "\nimport sys; print(*{m.split('.')[0] for m in sys.modules}, file=sys.stderr)"
    done = start([sys.executable, "-c", code, *words], cwd=ROOT)
    assert done.returncode == 0
    return set(done.stderr.split())


RUN = "import sys\nfrom app.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass"


@pytest.mark.parametrize("words", [["--help"], ["ask", "--help"], ["serve", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    heavy = set("numpy torch gradio faiss onnxruntime sklearn tokenizers fastapi pandas".split())
    assert modules(RUN, *words) & heavy == set()


@pytest.mark.model
def test_a_question_needs_no_torch(seed_index: Path) -> None:
    heavy = set("torch transformers sentence_transformers gradio langchain_text_splitters".split())
    found = modules(RUN, "ask", "Why was Amnesty banned?", "--index", seed_index)
    assert found & heavy == set()
    assert "onnxruntime" in found
