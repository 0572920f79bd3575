"""One contract, every reader; the words that a sentence is narrowed to; and opening a model.

A reader that joins READERS inherits the contract. The small model's scores are looked up by
token: it marks what stands between OPEN and CLOSE.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from app.question import kind_of
from app.reader import Passage, Reader, Sentence
from app.reader.evidence import EvidenceReader
from app.reader.narrow import holds, narrow
from app.reader.span import FORMAT, MODEL, SpanReader
from index.errors import OnRecordError
from index.sentences import sentences
from tests.fakes import BagOfWords

OPEN, CLOSE = "alpha", "omega"


def passage(text: str, speaker: str | None = "Ada Okafor") -> Passage:
    return Passage(text, tuple(Sentence(a, b, speaker) for a, b in sentences(text)))


def small_model(folder: Path, token: str = r"\w+|[^\w\s]+") -> Path:
    """A model whose score of a token is looked up: one that starts an answer, one that ends it.

    `token` says what a token is.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    vocabulary = {f"[{n}]": n for n in range(110)}
    vocabulary |= {"[UNK]": 110, OPEN: 111, CLOSE: 112}
    tokens = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.Split(Regex(token), "removed", invert=True)
    tokens.save(str(folder / "tokenizer.json"))
    table = np.full((113, 2), -5, dtype=np.float32)
    table[101] = 0  # [CLS]: no answer
    table[111, 0] = table[112, 1] = 4
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "tokens", 2])
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["scores"])],
        "small", inputs, [scores], [numpy_helper.from_array(table, "table")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "reader.onnx")
    digest = sha256((folder / "reader.onnx").read_bytes()).hexdigest()
    write_about(folder, sha256=digest)
    return folder


def write_about(folder: Path, **changed: object) -> None:
    file = folder / "model.json"
    about = {"format": FORMAT, "calibration": {"scale": 0.5, "bias": -1.0}}
    before = json.loads(file.read_text()) if file.exists() else about
    file.write_text(json.dumps({**before, **changed}))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model's folder; only to be read."""
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def small(model: Path) -> SpanReader:
    return SpanReader.open(model, threads=1)


@pytest.fixture(scope="session")
def shipped() -> SpanReader:
    return SpanReader.open(threads=2)


@pytest.fixture(
    params=[
        "evidence",
        "small",
        pytest.param(
            "shipped",
            marks=[
                pytest.mark.model,
                pytest.mark.skipif(not (MODEL / "reader.onnx").exists(), reason="none shipped"),
            ],
        ),
    ]
)
def reader(request: pytest.FixtureRequest) -> Reader:
    if request.param == "evidence":
        return EvidenceReader(BagOfWords())
    found: Reader = request.getfixturevalue(request.param)
    return found


# --- The contract of every reader -------------------------------------------------------------

LONG = " ".join(f"{OPEN} answer number {n} of them is {n * n} {CLOSE}." for n in range(400))
TEXTS = {
    "plain": "The bridge will cost eleven million. Who pays for it? Nobody knows.",
    "one word": "Yes.",
    "control characters": "The \0 bridge \x07 will\x1b[31m cost \r\v eleven \x7f\u2028 million.",
    "emoji": "Eleven 🙂 million 👩‍👩‍👧 for the 🇸🇪 bridge. 🙂🙂🙂",
    "right to left": "\u202bسيكلف الجسر أحد عشر مليونا.\u202c הגשר יעלה אחד עשר מיליון.",
    "combining marks": "Z\u0308o\u0308e\u0301 pays. Ü\u0301ber-Åse pays not.",
    "no sentence ends": "uh the bridge eleven million " * 40,
    "no space": "eleven" * 1_700,
    "no space, no alphabet": "橋は千百万です" * 1_500,
    "long": LONG,
    "marks only": "?!... — ««»» \"\" ''",
}
QUESTIONS = [
    "Who pays?",
    "When is it?",
    "Where is the bridge?",
    "How many answers?",
    "Why eleven?",
    "What?",
    "橋はいくらですか",
    "word " * 399,
]


def read_well(reader: Reader, question: str, passages: list[Passage]) -> None:
    """Read, and check all that a reader promises."""
    found = reader.read(question, passages)
    assert len(found) == len(passages)
    for each, spans in zip(passages, found, strict=True):
        for span in spans:
            assert 0 <= span.start < span.end <= len(each.text)
            assert math.isfinite(span.score)
        scores = [span.score for span in spans]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question[:12])
def test_every_text_is_read(reader: Reader, question: str) -> None:
    passages = [passage(text) for text in TEXTS.values()]
    read_well(reader, question, passages)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_text_without_sentences_is_read(reader: Reader, text: str) -> None:
    read_well(reader, "Who pays?", [Passage(text, ())])
    read_well(reader, "Who pays?", [Passage(text, (Sentence(0, len(text), None),))])


def test_without_passages_there_is_nothing(reader: Reader) -> None:
    assert reader.read("Who pays?", []) == []


def test_an_empty_passage_has_no_answer(reader: Reader) -> None:
    assert reader.read("Who pays?", [Passage("", ())]) == [[]]
    empty = [Passage("", ()), passage("The county pays."), Passage(" \n", ())]
    first, second, third = reader.read("Who pays?", empty)
    assert (first, third) == ([], [])
    assert len(second) >= 1


def test_reading_again_gives_the_same(reader: Reader) -> None:
    passages = [passage(text) for text in TEXTS.values()]
    assert reader.read("Who pays?", passages) == reader.read("Who pays?", passages)


# --- The span reader over the small model -------------------------------------------------------


def test_what_the_model_marks_is_the_span(small: SpanReader) -> None:
    text = f"We said {OPEN} eleven million {CLOSE} and nothing more."
    ((best, *others),) = small.read("How much?", [passage(text, None)])
    assert text[best.start : best.end] == f"{OPEN} eleven million {CLOSE}"
    # Start 4 and end 4 over no answer's 0 and 0, then 0.5 * margin - 1.
    assert best.score == 3.0
    assert all(span.score < 0 for span in others)


def test_the_better_answer_is_first_and_no_two_overlap(small: SpanReader) -> None:
    text = f"one {CLOSE}. {OPEN} two {CLOSE}. {OPEN} three. four {CLOSE} {OPEN}"
    (spans,) = small.read("Which?", [passage(text, None)])
    assert text[spans[0].start : spans[0].end] == f"{OPEN} two {CLOSE}"
    places = sorted((span.start, span.end) for span in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(places))


@pytest.mark.parametrize("before", [0, 100, 240, 250, 256, 600])
def test_an_answer_is_found_wherever_the_windows_fall(small: SpanReader, before: int) -> None:
    text = "word " * before + f"{OPEN} the answer {CLOSE}" + " word" * 300
    ((best, *_),) = small.read("Which?", [Passage(text, ())])
    assert (best.start, best.end) == (5 * before, 5 * before + 22)
    assert best.score == 3.0


def test_the_answer_stands_in_its_own_passage(small: SpanReader) -> None:
    texts = ["nothing here", f"{OPEN} yes {CLOSE}", "word " * 700, f"so {OPEN} no {CLOSE} then"]
    found = small.read("Which?", [Passage(text, ()) for text in texts])
    assert [bool(spans) and spans[0].score > 0 for spans in found] == [False, True, False, True]
    best = found[3][0]
    assert texts[3][best.start : best.end] == f"{OPEN} no {CLOSE}"


def test_a_name_that_is_put_in_can_be_no_answer(small: SpanReader) -> None:
    text = "They met. It was late."
    told = Passage(text, (Sentence(0, 9, None), Sentence(10, 22, f"{OPEN} {CLOSE}")))
    (spans,) = small.read("Who?", [told])
    assert spans
    assert all(span.score < 0 for span in spans)


def test_a_label_that_stands_in_the_text_can_be_an_answer(small: SpanReader) -> None:
    text = f"{OPEN} {CLOSE}: It was late."
    start = text.index("It was")
    ((best, *_),) = small.read("Who?", [Passage(text, (Sentence(start, len(text), text[:11]),))])
    assert (text[best.start : best.end], best.score) == (f"{OPEN} {CLOSE}", 3.0)


def test_a_part_of_a_word_is_widened_to_the_word(tmp_path: Path) -> None:
    pieces = SpanReader.open(small_model(tmp_path, token=rf"{OPEN}|{CLOSE}|\S"), threads=1)
    text = f"No, pre{OPEN}sub and pre{CLOSE}sub."
    ((best, *_),) = pieces.read("Which?", [Passage(text, ())])
    assert text[best.start : best.end] == f"pre{OPEN}sub and pre{CLOSE}sub"


# --- Opening a model ------------------------------------------------------------------------------


def cut_short(folder: Path) -> None:
    data = (folder / "reader.onnx").read_bytes()
    (folder / "reader.onnx").write_bytes(data[: len(data) // 2])


def not_json(folder: Path) -> None:
    (folder / "model.json").write_bytes(b"\x80\x00{]")


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "reader.onnx cut short": (cut_short, "damaged or of another version"),
    "reader.onnx of another build": (
        lambda folder: write_about(folder, sha256="0" * 64),
        "damaged or of another version",
    ),
    "reader.onnx missing": (lambda folder: (folder / "reader.onnx").unlink(), "cannot be read"),
    "tokenizer.json missing": (
        lambda folder: (folder / "tokenizer.json").unlink(),
        "missing or damaged",
    ),
    "tokenizer.json garbage": (
        lambda folder: (folder / "tokenizer.json").write_text("{}"),
        "missing or damaged",
    ),
    "model.json missing": (lambda folder: (folder / "model.json").unlink(), "missing or damaged"),
    "model.json garbage": (not_json, "missing or damaged"),
    "model.json a list": (
        lambda folder: (folder / "model.json").write_text("[1]"),
        "missing or damaged",
    ),
    "model.json empty": (
        lambda folder: (folder / "model.json").write_text("{}"),
        "missing or damaged",
    ),
    "no calibration": (
        lambda folder: write_about(folder, calibration={"scale": 1.0}),
        "missing or damaged",
    ),
    "another format": (
        lambda folder: write_about(folder, format=FORMAT + 1),
        f"has format {FORMAT + 1}, On Record reads format {FORMAT}; install",
    ),
}


@pytest.mark.parametrize(("spoil", "told"), SPOILED.values(), ids=SPOILED.keys())
def test_a_spoiled_model_is_told_in_a_sentence(
    tmp_path: Path, spoil: Callable[[Path], object], told: str
) -> None:
    small_model(tmp_path)
    SpanReader.open(tmp_path, threads=1)
    spoil(tmp_path)
    with pytest.raises(OnRecordError) as error:
        SpanReader.open(tmp_path, threads=1)
    assert_sentence(str(error.value), tmp_path, told)


def test_a_missing_model_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OnRecordError) as error:
        SpanReader.open(tmp_path / "none", threads=1)
    assert_sentence(str(error.value), tmp_path / "none", "missing or damaged")


def assert_sentence(message: str, folder: Path, told: str) -> None:
    assert message.startswith(str(folder))
    assert told in message
    assert message.endswith(".")
    assert "\n" not in message


# --- From a sentence to the words that answer -----------------------------------------------------


@pytest.mark.parametrize(
    ("question", "sentence", "words"),
    [
        ("Who called?", "It was Ada Okafor who called.", "Ada Okafor"),
        (
            "Who was there?",
            "Okafor, Bo Lindqvist and the Mayor.",
            "Okafor, Bo Lindqvist and the Mayor",
        ),
        ("When was it?", "It was closed in March 2019 for good.", "in March 2019"),
        ("When was it?", "It was closed after the flood, they say.", "after the flood"),
        ("When will it open?", "It opens tomorrow.", "tomorrow"),
        ("Where was it?", "They met in Kyiv.", "Kyiv"),
        ("Where did they meet?", "They met near Lake Vänern and Oslo.", "Lake Vänern and Oslo"),
        ("How many came?", "Over four hundred guests came.", "four hundred guests"),
        ("How much is it?", "It costs about $11,500.50, tax and all.", "about $11,500.50"),
        ("How long did it last?", "It took two and a half hours.", "two and a half hours"),
        ("Why was it closed?", "It was closed because the pier was rotten.", "the pier was rotten"),
        ("Why was it closed?", "It was closed, citing its age.", "its age"),
        # Nothing of the kind is in it: the sentence without what leads in to it.
        ("What did he say?", "He said that the pier was rotten.", "the pier was rotten"),
        ("What did he say?", "And Lindqvist added the pier is safe.", "the pier is safe"),
        ("What is it?", "But it is a pier!", "it is a pier"),
        ("Why?", "It is closed.", "It is closed"),
        # What the question says itself is no answer to it.
        ("Who called Okafor?", "Okafor was called by Lindqvist.", "Lindqvist"),
        ("Where in Kyiv?", "They met in Kyiv, at Maidan.", "Maidan"),
        ("What?", "?!", "?!"),
    ],
)
def test_narrow(question: str, sentence: str, words: str) -> None:
    before = "Once upon a time. "
    text = before + sentence + " And 3 more in Rome."
    place = (len(before), len(before) + len(sentence))
    start, end = narrow(question, kind_of(question), text, place)
    assert text[start:end] == words


@pytest.mark.parametrize(
    ("question", "sentence", "held"),
    [
        ("Who called?", "It was Ada Okafor.", 1.0),
        ("Who called?", "It was somebody.", 0.0),
        ("Who called?", "Then.", 0.0),
        ("Who is Ada Okafor?", "It was Ada Okafor.", 0.0),
        ("When was it?", "It was in 2019.", 1.0),
        ("When was it?", "It was not.", 0.0),
        ("Where was it?", "It was in Kyiv.", 1.0),
        ("Where was it?", "It was in print.", 0.0),
        ("How many?", "There were 12.", 1.0),
        ("How many?", "There were none.", 0.0),
        ("Why was it?", "It was so because it was late.", 1.0),
        ("Why was it?", "It was so.", 0.0),
        ("What was it?", "It was in Kyiv in 2019.", 0.0),
    ],
)
def test_holds(question: str, sentence: str, held: float) -> None:
    assert holds(kind_of(question), question, sentence) == held


# --- What speaks for a sentence -------------------------------------------------------------------


def test_the_sentence_that_answers_comes_first() -> None:
    text = "The weather was fine. The bridge will cost eleven million. The crew is proud."
    reader = EvidenceReader(BagOfWords())
    ((best, *_),) = reader.read("How much will the bridge cost?", [passage(text)])
    assert text[best.start : best.end] == "eleven million"


def test_of_equal_sentences_the_one_of_the_person_asked_for_comes_first() -> None:
    text = "The pier is safe. The pier is safe."
    said = Passage(text, (Sentence(0, 17, "Ada Okafor"), Sentence(18, 35, "Ben Lindqvist")))
    reader = EvidenceReader(BagOfWords())
    for question, start in (("What did Okafor say?", 0), ("What did Lindqvist say?", 18)):
        ((best, *_),) = reader.read(question, [said])
        assert best.start == start


def test_a_sentence_is_embedded_once_over_many_questions() -> None:
    embedder = BagOfWords()
    reader = EvidenceReader(embedder)
    for question in ("Who pays?", "Who pays for it?", "Where?"):
        reader.read(question, [passage("The county pays. The town does not.")])
    assert len(embedder.embedded) == len(set(embedder.embedded)) == 4 - 1
