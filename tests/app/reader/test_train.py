"""Training: a killed run goes on where it was; what it exports can be read and learned on from.

The model and the plan are tiny; nothing is learned that is worth anything.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from app.reader import Passage
from app.reader.evidence import EvidenceReader
from app.reader.examples import Stage
from app.reader.span import SpanReader
from index.errors import OnRecordError
from tests.fakes import BagOfWords

torch = pytest.importorskip("torch")
train = pytest.importorskip("app.reader.train")

TEXT = "The bridge will cost eleven million. The county pays for it. Nobody objected to that."
pytestmark = pytest.mark.model


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
    (tmp_path / "train").mkdir()
    with gzip.open(tmp_path / "train" / "speech.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> object:
    """Six steps of two examples on a small model."""
    from transformers import BertConfig, BertModel

    def new_model() -> object:
        torch.manual_seed(1)
        config = BertConfig(
            vocab_size=30522,
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=48,
        )
        return train.SpanModel(BertModel(config))

    monkeypatch.setattr(train, "new_model", new_model)
    monkeypatch.setattr(train, "SAVE_STEPS", 2)
    monkeypatch.setattr(train, "LOG_STEPS", 2)
    stage = Stage(rows={"speech": 12}, window_tokens=(12, 20), negatives=0.3)
    return replace(train.Settings(), stages=(stage,), batch=2, learning_rate=1e-3)


def weights(model: object) -> dict[str, object]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_a_killed_run_goes_on_where_it_was(
    data: Path, settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = weights(train.train(data, tmp_path / "whole", settings))
    steps = 0
    loss_of = train.loss_of

    def killed(*arguments: object) -> object:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise KeyboardInterrupt
        return loss_of(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(train, "loss_of", killed)
        with pytest.raises(KeyboardInterrupt):
            train.train(data, tmp_path / "killed", settings)
    again = weights(train.train(data, tmp_path / "killed", settings))
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    logged = (tmp_path / "killed" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in logged] == [2, 4, 6]


def test_a_run_does_not_go_on_with_other_settings(
    data: Path, settings: object, tmp_path: Path
) -> None:
    train.train(data, tmp_path / "run", settings)
    with pytest.raises(OnRecordError, match="begun with other settings; name another folder"):
        train.train(data, tmp_path / "run", replace(settings, seed=7))


def test_what_is_exported_can_be_read_and_learned_on(
    data: Path, settings: object, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    model = train.train(data, run, settings)
    train.export(model, run)
    (first,) = SpanReader.open(run / "fp32", threads=1).read("Who pays?", [Passage(TEXT, ())])
    (small,) = SpanReader.open(run / "model", threads=1).read("Who pays?", [Passage(TEXT, ())])
    assert first[0].score == pytest.approx(small[0].score, abs=0.1)
    EvidenceReader.open(BagOfWords(), threads=1, folder=run / "model")

    again = train.new_model()
    train.start_from(again, run / "model" / "reader.onnx")
    before, after = weights(model), weights(again)
    for name, value in before.items():
        if "pooler" not in name:
            assert torch.allclose(value.float(), after[name].float(), atol=2e-3), name


def test_a_file_that_is_no_reader_is_not_started_from(settings: object, tmp_path: Path) -> None:
    from tests.app.reader.conftest import small_model

    folder = small_model(tmp_path)
    with pytest.raises(ValueError, match="this is no reader of ours"):
        train.start_from(train.new_model(), folder / "reader.onnx")
