"""Training: a killed run goes on where it was; what it exports can be read and learned on from.

The model and the plan are tiny; nothing is learned that is worth anything.
"""

from __future__ import annotations

import gzip
import importlib
import json
import math
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.reader import Passage
from app.reader.evidence import EvidenceReader
from app.reader.span import SpanReader
from app.training.sets import Example, Stage
from index.errors import OnRecordError
from index.onnx import open_session
from tests.app.training.conftest import small_bert

TEXT = "The bridge will cost eleven million. The county pays for it. Nobody objected to that."
pytestmark = pytest.mark.model


@pytest.fixture
def train() -> Any:
    """The module; it imports torch, which takes seconds that no other test should wait for."""
    return importlib.import_module("app.training.reader")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [
        {
            "title": "t",
            "context": TEXT,
            "question": f"Question {n}: who pays?",
            "answers": [{"text": "The county", "start": TEXT.index("The county")}],
            "answerable": True,
        }
        for n in range(8)
    ]
    for name in ("train/speech", "dev/speech_dev"):
        path = tmp_path / f"{name}.jsonl.gz"
        path.parent.mkdir()
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


@pytest.fixture
def settings(train: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Six steps of two examples on a small model."""

    def new_model() -> Any:
        train.torch.manual_seed(1)
        return train.SpanModel(small_bert(30522))

    for module in (train, importlib.import_module("app.training.models")):
        monkeypatch.setattr(module, "new_model", new_model)
    monkeypatch.setattr(train, "SAVE_STEPS", 2)
    monkeypatch.setattr(train, "LOG_STEPS", 2)
    monkeypatch.setattr(train, "DEV_STEPS", 4)
    stage = Stage(rows={"speech": 12}, window_tokens=(12, 20), negatives=0.3)
    return replace(train.Settings(), stages=(stage,), batch=2, learning_rate=1e-3, dev_rows=4)


def weights(model: Any) -> dict[str, Any]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_a_killed_run_goes_on_where_it_was(
    data: Path, train: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = weights(train.train(data, tmp_path / "whole", settings))
    steps = 0
    span_loss = train.span_loss

    def killed(*arguments: object) -> object:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise KeyboardInterrupt
        return span_loss(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(train, "span_loss", killed)
        with pytest.raises(KeyboardInterrupt):
            train.train(data, tmp_path / "killed", settings)
    again = weights(train.train(data, tmp_path / "killed", settings))
    assert whole.keys() == again.keys()
    assert all(train.torch.equal(whole[name], again[name]) for name in whole)
    lines = (tmp_path / "killed" / "log.jsonl").read_text().splitlines()
    logged = [json.loads(line) for line in lines]
    assert [entry["step"] for entry in logged] == [2, 4, 6]
    assert ["speech_dev right" in entry for entry in logged] == [False, True, True]


def test_a_batch_has_all_windows_of_its_questions(train: Any) -> None:
    questions = [
        [Example([1] * (9 + number % 4), 3, 0, 0, number)] * (1 + number % 3)
        for number in range(50)
    ]
    found = train.batches(questions, 4, random.Random(1))
    assert all(1 <= len(batch) <= 4 for batch in found)
    assert sum(len(batch) for batch in found) == sum(len(its) for its in questions)
    of_a_question = Counter(number for batch in found for number in {one.question for one in batch})
    assert set(of_a_question.values()) == {1}


def test_stages_come_one_after_another(data: Path, train: Any, settings: Any) -> None:
    stages = tuple(Stage(rows={"speech": 8}, window_tokens=(size, size)) for size in (8, 16))
    plan = train.plan(data, replace(settings, stages=stages))
    widths = [len(batch[0].ids) for batch in plan]
    assert widths == sorted(widths)
    assert len(set(widths)) > 1


def test_what_is_dropped_out_is_so_while_learning_alone(
    data: Path, train: Any, settings: Any, tmp_path: Path
) -> None:
    """A model with dropout learns otherwise, and gives the same each time once it has learned."""
    without = weights(train.train(data, tmp_path / "without", settings))
    model = train.train(data, tmp_path / "with", replace(settings, dropout=0.5))
    assert not train.torch.equal(weights(model)["spans.weight"], without["spans.weight"])
    batch = train.tensors(train.dev_examples(data, settings)["speech_dev"][:2])
    assert train.torch.equal(train.scores_of(model, batch), train.scores_of(model, batch))


def test_windows_of_one_question_are_compared(train: Any) -> None:
    """Windows alike: choosing among them is a toss, where they share a question."""

    def loss(*questions: int, scores: Any) -> float:
        batch = {
            "starts": train.torch.tensor([1, 0, 0]),
            "questions": train.torch.tensor(questions),
        }
        return float(train.choice_loss(scores, batch))

    alike = train.torch.zeros(3, 3, 2)
    assert loss(1, 2, 3, scores=alike) == pytest.approx(0)
    assert loss(1, 1, 2, scores=alike) == pytest.approx(math.log(2) / 3)
    assert loss(1, 1, 1, scores=alike) == pytest.approx(math.log(3) / 3)
    assert loss(2, 1, 1, scores=alike) == pytest.approx(0)  # nothing right to choose
    # The rival's spans score 1 more at both ends, its margin is 2 higher.
    rival = alike.clone()
    rival[1, 1:] += 1.0
    assert loss(1, 1, 3, scores=rival) == pytest.approx(math.log(1 + math.exp(2)) / 3)
    # What "no answer" scores in the rival takes from its margin.
    rival[1, 0] += 1.0
    assert loss(1, 1, 3, scores=rival) == pytest.approx(math.log(2) / 3)


def sentence_and_words(train: Any) -> Any:
    """Two windows of three words; of one only the sentence is known that answers, its first two."""
    ids = [1, 2, 3, 4, 5, 6]
    return train.tensors([Example(ids, 3, 3, 4, 1, exact=False), Example(ids, 3, 3, 4, 2)])


def test_where_nobody_marked_the_words_any_span_of_the_sentence_is_right(train: Any) -> None:
    batch = sentence_and_words(train)
    scores = train.torch.zeros(2, 6, 2)
    found = train.span_loss(scores, batch).tolist()
    assert found == pytest.approx([math.log(6 / 2), math.log(6)])


def test_a_teacher_chooses_the_words_in_the_sentence_that_answers(train: Any) -> None:
    batch = sentence_and_words(train)
    teacher = train.torch.zeros(2, 6, 2)
    teacher[:, 3] = 5.0
    teacher[:, 5] = 9.0  # outside
    ours = teacher.clone()
    inside = ours.clone()
    inside[0, [0, 1, 2, 5]] = -1e4
    found = train.taught_loss(inside, teacher, batch).tolist()
    assert found == pytest.approx([0.0, 0.0], abs=1e-6)
    apart, alike = train.taught_loss(ours, teacher, batch).tolist()
    assert apart > 3
    assert alike == pytest.approx(0)


def test_a_run_does_not_go_on_with_other_settings(
    data: Path, train: Any, settings: Any, tmp_path: Path
) -> None:
    train.train(data, tmp_path / "run", settings)
    with pytest.raises(OnRecordError, match="begun with other settings; name another folder"):
        train.train(data, tmp_path / "run", replace(settings, seed=7))


def test_what_is_exported_can_be_read_and_learned_on(
    data: Path, train: Any, settings: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    model = train.train(data, run, settings)
    train.export(model, run)
    long, short = train.dev_examples(data, settings)["speech_dev"][:2]
    short = replace(short, ids=short.ids[:-4])
    batch = train.tensors([long, short])  # padded
    with train.torch.no_grad():
        scores = model(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
    about = json.loads((run / "fp32" / "model.json").read_text())
    session = open_session(run / "fp32" / "reader.onnx", about["sha256"])
    names = ("input_ids", "attention_mask", "token_type_ids")
    (found,) = session.run(None, {name: batch[name].numpy() for name in names})
    assert found[0] == pytest.approx(scores[0].numpy(), abs=1e-4)
    assert found[1][: len(short.ids)] == pytest.approx(scores[1][: len(short.ids)], abs=1e-4)
    ((best, *_),) = SpanReader.open(run / "model", threads=1).read("?", [Passage(TEXT, ())])
    assert best.end <= len(TEXT)
    EvidenceReader.open(threads=1, folder=run / "model")

    again = train.new_model().eval()
    train.start_from(again, run / "model" / "reader.onnx")
    with train.torch.no_grad():
        learned = again(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
    assert train.torch.allclose(learned, scores, atol=2e-2)


def test_a_file_that_is_no_reader_is_not_started_from(
    train: Any, settings: Any, tmp_path: Path
) -> None:
    from tests.app.reader.conftest import small_model

    folder = small_model(tmp_path)
    with pytest.raises(ValueError, match="this is no reader of ours"):
        train.start_from(train.new_model(), folder / "reader.onnx")


def test_what_was_known_counts_for_the_share_that_is_kept(
    data: Path, train: Any, settings: Any, tmp_path: Path
) -> None:
    train.export(train.train(data, tmp_path / "run", settings), tmp_path / "run")
    start = tmp_path / "run" / "model"
    known = train.new_model()
    train.start_from(known, start / "reader.onnx")
    further = {
        keep: weights(
            train.train(data, tmp_path / f"keep-{keep}", replace(settings, keep=keep), start)
        )
        for keep in (0.0, 0.5, 1.0)
    }
    for name, value in weights(known).items():
        if value.is_floating_point():
            assert train.torch.allclose(further[1.0][name], value, atol=1e-6), name
            half = (further[0.0][name] + value) / 2
            assert train.torch.allclose(further[0.5][name], half, atol=1e-6), name
    assert not train.torch.equal(further[0.0]["spans.weight"], weights(known)["spans.weight"])


@pytest.fixture
def mpnet(tmp_path: Path) -> Path:
    """A small MPNet with BERT's words at other numbers, as all-mpnet-base-v2 has them."""
    from transformers import MPNetConfig, MPNetModel

    models = importlib.import_module("app.training.models")
    vocabulary = models.tokenizer().get_vocab()
    words = [models.IN_MPNET.get(word, word) for word in sorted(vocabulary, key=vocabulary.get)]
    folder = tmp_path / "mpnet"
    config = MPNetConfig(
        vocab_size=len(words) + 1,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=48,
    )
    MPNetModel(config, add_pooling_layer=False).save_pretrained(folder)
    # Other numbers for all but what MPNet itself knows by number.
    (folder / "vocab.txt").write_text("\n".join(["<mask>", *reversed(words)]) + "\n")
    return folder


def test_a_teacher_takes_the_readers_tokens(mpnet: Path) -> None:
    models = importlib.import_module("app.training.models")
    teacher = models.new_teacher(mpnet).eval()
    words = (mpnet / "vocab.txt").read_text().split()
    ids = models.tokenizer().encode("Who pays for the bridge?").ids
    named = [words[number] for number in teacher.numbers[ids]]
    assert named == ["<s>", "who", "pays", "for", "the", "bridge", "?", "</s>"]
    batch = models.torch.tensor([ids])
    scores = teacher(batch, models.torch.ones_like(batch), models.torch.zeros_like(batch))
    assert scores.shape == (1, len(ids), 2)


def test_another_model_is_no_teacher(tmp_path: Path, mpnet: Path) -> None:
    models = importlib.import_module("app.training.models")
    with pytest.raises(OnRecordError, match="this is not the folder of all-mpnet-base-v2"):
        models.new_teacher(tmp_path / "nothing")
    (mpnet / "vocab.txt").write_text("other\nwords\n")
    with pytest.raises(OnRecordError, match="this is not the folder of all-mpnet-base-v2"):
        models.new_teacher(mpnet)


def test_a_reader_learns_from_a_teacher_that_was_trained_to_its_end(
    data: Path, train: Any, settings: Any, tmp_path: Path, mpnet: Path
) -> None:
    run = tmp_path / "teacher"
    with pytest.raises(OnRecordError, match="no teacher was trained here"):
        train.train(data, tmp_path / "taught", settings, teacher=run)
    assert not (tmp_path / "taught").exists()
    teacher = train.new_teacher(mpnet)
    train.begin(run, settings, mpnet=str(mpnet))
    train.fit(teacher, data, run, settings)
    assert all(
        train.torch.equal(value, weights(train.trained_teacher(run))[name])
        for name, value in weights(teacher).items()
    )

    batch = train.tensors([one for step in train.planned(data, run, settings) for one in step])

    def apart(taught: float) -> float:
        how = replace(settings, taught=taught)
        reader = train.train(data, tmp_path / f"taught-{taught}", how, teacher=run)
        with train.torch.no_grad():
            ours, theirs = (train.scores_of(one, batch) for one in (reader, teacher))
        answered = batch["starts"] > 0
        return float(train.taught_loss(ours, theirs, batch)[answered].mean())

    assert apart(1.0) < apart(0.0)
    with pytest.raises(OnRecordError, match="begun with other settings"):
        train.train(data, tmp_path / "taught-1.0", replace(settings, taught=1.0))

    saved = train.torch.load(run / "checkpoint.pt", weights_only=True)
    train.torch.save(saved | {"step": 4}, run / "checkpoint.pt")
    with pytest.raises(OnRecordError, match="at step 4 of 6; run it to its end"):
        train.trained_teacher(run)
    for broken in (b"", b"no checkpoint"):
        (run / "checkpoint.pt").write_bytes(broken)
        with pytest.raises(OnRecordError, match="no teacher was trained here"):
            train.trained_teacher(run)


def test_scores_are_as_far_apart_as_their_chances(train: Any) -> None:
    batch = train.tensors([Example([1, 2], 1, 1, 1, 1)])
    ours, theirs = train.torch.zeros(1, 2, 2), train.torch.zeros(1, 2, 2)
    assert float(train.taught_loss(ours, theirs, batch)) == pytest.approx(0)
    theirs[0, 0] = math.log(3)  # three to one, of starts and of ends
    wanted = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert float(train.taught_loss(ours, theirs, batch)) == pytest.approx(wanted)


def test_what_a_teacher_makes_of_words_is_told_by_one_map() -> None:
    models = importlib.import_module("app.training.models")
    models.torch.manual_seed(3)
    words = models.torch.randn(400, 6)
    taught = words @ models.torch.randn(6, 9) + 4.0
    likeness = models.Likeness(6, 9)
    before = likeness(words, taught).item()
    likeness.fit(words, taught)
    assert before > 1
    assert likeness(words, taught).item() == pytest.approx(0, abs=1e-4)
    # Words that tell nothing leave all of what it varies by.
    likeness.fit(models.torch.zeros(400, 6), taught)
    assert likeness(words, taught).item() == pytest.approx(1, abs=0.01)


def test_a_reader_takes_in_what_a_teacher_makes_of_each_token(
    data: Path, train: Any, settings: Any, tmp_path: Path, mpnet: Path
) -> None:
    run = tmp_path / "teacher"
    teacher = train.new_teacher(mpnet)
    train.begin(run, settings, mpnet=str(mpnet))
    train.fit(teacher, data, run, settings)
    steps = train.planned(data, run, settings)

    def unlike(likened: float) -> float:
        how = replace(settings, taught=0.0, likened=likened)
        reader = train.train(data, tmp_path / f"likened-{likened}", how, teacher=run).eval()
        likeness, batch = train.likeness_to(teacher, reader, steps), train.tensors(steps[0])
        with train.torch.no_grad():
            words, scores = train.words_of(reader, batch)
            _, share = train.taught_losses(teacher, likeness, words, scores, batch)
        return float(share)

    assert unlike(10.0) < unlike(0.0)


def test_a_teacher_is_not_asked_whether_to_refuse(
    data: Path, train: Any, settings: Any, tmp_path: Path, mpnet: Path
) -> None:
    """Where no window answers, a reader with a teacher learns just what it learns without."""
    run = tmp_path / "teacher"
    train.begin(run, settings, mpnet=str(mpnet))
    train.fit(train.new_teacher(mpnet), data, run, settings)
    file = data / "train" / "speech.jsonl.gz"
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) | {"answerable": False} for line in lines]
    with gzip.open(file, "wt", encoding="utf-8") as written:
        written.writelines(json.dumps(row) + "\n" for row in rows)
    alone = weights(train.train(data, tmp_path / "alone", settings))
    taught = weights(train.train(data, tmp_path / "taught", settings, teacher=run))
    assert all(train.torch.equal(alone[name], taught[name]) for name in alone)


def test_a_teacher_learns_on_from_the_run_that_made_it(
    data: Path, train: Any, settings: Any, mpnet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "TEACHER", settings)
    monkeypatch.setattr(train, "TEACHER_FURTHER", replace(settings, learning_rate=0.0))
    first, second = (str(data / name) for name in ("first", "second"))
    for run, more in ((first, []), (second, ["--start", first])):
        command = ["reader", str(data), run, "--mpnet", str(mpnet), *more]
        monkeypatch.setattr("sys.argv", command)
        train.main()
    known, learned = (weights(train.trained_teacher(Path(run))) for run in (first, second))
    assert all(train.torch.equal(known[name], learned[name]) for name in known)


def test_a_teacher_has_no_teacher(
    train: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["reader", "data", "run", "--mpnet", "m", "--teacher", "t"])
    with pytest.raises(SystemExit) as stopped:
        train.main()
    assert stopped.value.code == 2
    assert "leave out --teacher" in capsys.readouterr().err
