"""Easing: the same function, with what is largest apart and the inputs brought to like ranges."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from tests.app.training.conftest import small_bert

pytestmark = pytest.mark.model


@pytest.fixture
def eased() -> Any:
    """The module; it imports torch, which takes seconds that no other test should wait for."""
    return importlib.import_module("app.training.eased")


@pytest.fixture
def model() -> Any:
    """A small reader with one neuron and one channel far larger than the rest."""
    torch = importlib.import_module("torch")
    models = importlib.import_module("app.training.models")
    torch.manual_seed(1)
    made = models.SpanModel(small_bert(60)).eval()
    first = made.bert.encoder.layer[0]
    first.intermediate.dense.bias.data[5] = 30.0
    first.attention.output.LayerNorm.weight.data[7] = 40.0
    return made


@pytest.fixture
def batch(model: Any) -> dict[str, Any]:
    torch = importlib.import_module("torch")
    ids = torch.randint(0, 60, (3, 16))
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": torch.zeros_like(ids),
    }


def test_an_eased_reader_gives_the_same_scores(eased: Any, model: Any, batch: Any) -> None:
    torch = importlib.import_module("torch")
    models = importlib.import_module("app.training.models")
    with torch.no_grad():
        scores = model(**batch)
        made = eased.ease(model, [batch])
        assert torch.allclose(made(**batch), scores, atol=1e-4)
        assert torch.equal(model(**batch), scores)  # itself it stays as it was
        again = models.SpanModel(small_bert(60)).eval()
        again.load_state_dict(eased.plain(made.state_dict()))
        assert torch.allclose(again(**batch), scores, atol=1e-4)


def test_the_largest_neurons_stand_apart_and_inputs_are_of_like_ranges(
    eased: Any, model: Any, batch: Any
) -> None:
    layer = eased.ease(model, [batch]).bert.encoder.layer[0]
    neurons = layer.intermediate
    assert len(neurons.wide.bias) == eased.WIDE
    assert 30.0 in neurons.wide.bias.tolist()
    assert neurons.narrow.bias.max() < 1.0
    assert layer.output.dense.wide.weight.shape == (24, eased.WIDE)
    taken: list[Any] = []
    model.bert.encoder.layer[0].intermediate.register_forward_hook(
        lambda _, given, __: taken.append(given[0].abs().amax((0, 1)))
    )
    model(**batch)
    before, after = taken[0], taken[0] * neurons.scale
    assert before.argmax() == 7
    assert before.max() / before.median() > 20
    assert after.max() / after.median() < 8
