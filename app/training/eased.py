"""A reader's network so written that int8 loses less of it: the same function, outliers apart.

ONNX Runtime gives all values that flow into a matrix one scale. In a trained BERT few channels are
many times as large as the rest, which then share what little of the scale is left (Dettmers et al.
2022). So the inputs of each feed-forward layer are brought to like ranges, for which its weights
make up (SmoothQuant, Xiao et al. 2023), and its few neurons that give the largest values stand
apart, in full precision.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from app.training.models import SpanModel

WIDE = 16  # neurons of each layer that stand apart; one or two are the largest by far
SMOOTHING = 0.7  # how much of the inputs' range the weights take over
APART = "/wide/"  # in the names of the nodes that stay in full precision


class Neurons(torch.nn.Module):
    """A feed-forward layer's neurons: `dense` and an activation, the `wide` ones apart."""

    def __init__(
        self, dense: torch.nn.Linear, activation: Any, ranges: torch.Tensor, wide: torch.Tensor
    ) -> None:
        """`ranges`, the largest inputs, have shape (channels,); `wide`, bool, (neurons,)."""
        super().__init__()
        of_weights = dense.weight.abs().amax(0)
        scale = of_weights ** (1 - SMOOTHING) / ranges.clamp_min(1e-5) ** SMOOTHING
        self.scale: torch.Tensor
        self.register_buffer("scale", scale / scale.log().mean().exp())
        self.narrow = _linear(dense.weight[~wide] / self.scale, dense.bias[~wide])
        self.wide = _linear(dense.weight[wide], dense.bias[wide])
        self.activation = activation

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What the narrow and the wide neurons give, shape (batch, tokens, neurons) each."""
        return self.activation(self.narrow(hidden * self.scale)), self.activation(self.wide(hidden))


class Gathered(torch.nn.Module):
    """The matrix behind the neurons: `dense` over both parts of them."""

    def __init__(self, dense: torch.nn.Linear, wide: torch.Tensor) -> None:
        """`wide`, bool, of shape (neurons,), tells which stand apart."""
        super().__init__()
        self.narrow = _linear(dense.weight[:, ~wide], dense.bias)
        self.wide = _linear(dense.weight[:, wide], None)

    def forward(self, neurons: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Shape (batch, tokens, channels)."""
        narrow, wide = neurons
        given: torch.Tensor = self.narrow(narrow) + self.wide(wide)
        return given


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> torch.nn.Linear:
    made = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    made.weight.data.copy_(weight)
    if bias is not None:
        made.bias.data.copy_(bias)
    return made


@torch.no_grad()
def ease(model: SpanModel, shown: Iterable[dict[str, torch.Tensor]]) -> SpanModel:
    """A copy of the reader, its feed-forward layers eased by the values that `shown` gives rise to.

    `shown` are batches of input_ids, attention_mask and token_type_ids, (batch, tokens) each.
    """
    eased = copy.deepcopy(model).eval()
    layers = eased.bert.encoder.layer
    seen = [_Largest() for _ in layers]
    hooks = [
        layer.intermediate.register_forward_hook(its)
        for layer, its in zip(layers, seen, strict=True)
    ]
    for batch in shown:
        eased(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
    for hook, layer, its in zip(hooks, layers, seen, strict=True):
        hook.remove()
        wide = torch.zeros_like(its.given, dtype=torch.bool)
        wide[its.given.topk(WIDE).indices] = True
        dense, activation = layer.intermediate.dense, layer.intermediate.intermediate_act_fn
        layer.intermediate = Neurons(dense, activation, its.taken, wide)
        layer.output.dense = Gathered(layer.output.dense, wide)
    return eased


class _Largest:
    """Of each channel the largest value that a layer's neurons have taken, and have given."""

    def __init__(self) -> None:
        self.taken = self.given = torch.zeros(1)

    def __call__(self, _: Any, taken: tuple[torch.Tensor, ...], given: torch.Tensor) -> None:
        self.taken = torch.maximum(self.taken, taken[0].abs().amax((0, 1)))
        self.given = torch.maximum(self.given, given.abs().amax((0, 1)))


def plain(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights of a network as they are called before easing, the wide neurons last."""
    result = dict(state)
    for name in state:
        if name.endswith(".intermediate.scale"):
            layer = name.removesuffix(".intermediate.scale")
            scale = result.pop(name)
            into, out = f"{layer}.intermediate", f"{layer}.output.dense"
            weights = [result.pop(f"{into}.{part}.weight") for part in ("narrow", "wide")]
            biases = [result.pop(f"{into}.{part}.bias") for part in ("narrow", "wide")]
            result[f"{into}.dense.weight"] = torch.cat((weights[0] * scale, weights[1]))
            result[f"{into}.dense.bias"] = torch.cat(biases)
            parts = [result.pop(f"{out}.{part}.weight") for part in ("narrow", "wide")]
            result[f"{out}.weight"] = torch.cat(parts, dim=1)
            result[f"{out}.bias"] = result.pop(f"{out}.narrow.bias")
    return result
