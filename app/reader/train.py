"""Training the span reader: from all-MiniLM-L6-v2's weights to start and end scores.

    python -m app.reader.train DATA RUN         (DATA holds train/*.jsonl.gz)

A run is a folder: settings.json, log.jsonl, checkpoint.pt, from which a killed run goes on
where it was, and at the end model/, which `app.reader.span` reads. Needs torch; nothing of On
Record's question path imports this module. Its calibration is fitted by `eval.calibrate`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from app.reader.span import CLS, FORMAT, SEP
from index.embed import default_weights, load_transformer
from index.onnx import export_int8


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a run. `rows` and `late_rows` are examples drawn of each set.

    The late rows come after the others, mixed with a share of them: general first, then
    speech, while the learning rate falls to nothing.
    """

    seed: int = 20261123
    batch: int = 32
    learning_rate: float = 1.5e-4
    warmup: float = 0.06
    weight_decay: float = 0.01
    question_tokens: int = 48
    window_tokens: tuple[int, int] = (96, 208)
    negatives: float = 0.25
    held_titles: int = 10  # one squad_dev article in so many is never trained on
    rows: dict[str, int] = field(
        default_factory=lambda: {
            "squadshifts": 7_200,
            "squad_dev": 4_800,
            "squad_train_small": 3_000,
            "qed": 2_600,
            "speech": 1_200,
            "fairytaleqa": 800,
            "molweni": 400,
        }
    )
    late_rows: dict[str, int] = field(
        default_factory=lambda: {
            "speech": 4_400,
            "squadshifts": 1_600,
            "squad_dev": 1_400,
            "qed": 700,
            "fairytaleqa": 500,
            "molweni": 200,
        }
    )


@dataclass(frozen=True, slots=True)
class Row:
    """A question over a context; `answer` is (start, end) in it, None where it has none."""

    title: str
    question: str
    context: str
    answer: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Example:
    """Tokens of [CLS] question [SEP] window [SEP]; start and end are positions, 0 for no answer."""

    ids: list[int]
    types: list[int]
    start: int
    end: int


class SpanModel(torch.nn.Module):
    """MiniLM with a start and an end score for each token; position 0 stands for no answer."""

    def __init__(self, bert: Any) -> None:
        super().__init__()
        self.bert = bert
        self.spans = torch.nn.Linear(bert.config.hidden_size, 2)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor
    ) -> torch.Tensor:
        """Scores of shape (batch, tokens, 2)."""
        words = self.bert(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        scores: torch.Tensor = self.spans(words)
        return scores


def new_model() -> SpanModel:
    """The model before training: the packaged weights, checked, under a fresh head."""
    transformer: Any = load_transformer(str(default_weights()))[0]
    return SpanModel(transformer.auto_model)


def tokenizer() -> Tokenizer:
    found = Tokenizer.from_file(str(default_weights() / "tokenizer.json"))
    found.no_padding()
    found.no_truncation()
    return found


def read_rows(file: Path) -> Iterator[Row]:
    """The rows of one gzipped set."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            first = row["answers"][0] if row["answerable"] else None
            answer = (first["start"], first["start"] + len(first["text"])) if first else None
            yield Row(row["title"], row["question"], row["context"], answer)


def held(title: str, settings: Settings) -> bool:
    """Whether a squad_dev article is kept for measuring."""
    return sum(title.encode()) % settings.held_titles == 0


def draw(data: Path, wanted: dict[str, int], settings: Settings, rng: random.Random) -> list[Row]:
    """Rows of each set, as many as wanted, with negatives made of a share of them."""
    drawn: list[Row] = []
    for name, count in wanted.items():
        rows = list(read_rows(data / "train" / f"{name}.jsonl.gz"))
        if name == "squad_dev":
            rows = [row for row in rows if not held(row.title, settings)]
        contexts = defaultdict(list)
        for row in rows:
            contexts[row.title].append(row.context)
        picked: list[Row] = []
        while len(picked) < count:
            picked += rng.sample(rows, min(len(rows), count - len(picked)))
        for row in picked:
            moved = row.answer and rng.random() < settings.negatives / 2
            drawn.append(_elsewhere(row, contexts[row.title], rng) if moved else row)
    rng.shuffle(drawn)
    return drawn


def _elsewhere(row: Row, contexts: Sequence[str], rng: random.Random) -> Row:
    """The question over another passage of the same document, which does not answer it."""
    assert row.answer is not None
    words = row.context[slice(*row.answer)].casefold()
    others = [other for other in rng.sample(contexts, min(8, len(contexts)))
              if other != row.context and words not in other.casefold()]  # fmt: skip
    return Row(row.title, row.question, others[0], None) if others else row


def example(row: Row, tokens: Tokenizer, settings: Settings, rng: random.Random) -> Example | None:
    """One window of the row's context; None where its answer does not fit into it."""
    question = tokens.encode(row.question, add_special_tokens=False).ids[: settings.question_tokens]
    context = tokens.encode(row.context, add_special_tokens=False)
    size = min(rng.randint(*settings.window_tokens), len(context.ids))
    span = None
    if row.answer:
        inside = [n for n, (a, b) in enumerate(context.offsets)
                  if a < row.answer[1] and b > row.answer[0] and b > a]  # fmt: skip
        if not inside:
            return None
        span = (inside[0], inside[-1])
        if span[1] - span[0] >= size:
            return None
    if span and rng.random() < settings.negatives / 2 and len(context.ids) > span[1] - span[0] + 64:
        # A window of the right passage that leaves the answer out.
        left, right = span[0], len(context.ids) - span[1] - 1
        begin, room = (0, left) if left >= right else (span[1] + 1, right)
        size, span = min(size, room), None
        begin += rng.randint(0, room - size)
    elif span:
        low = max(0, span[1] + 1 - size)
        begin = rng.randint(low, max(low, min(span[0], len(context.ids) - size)))
    else:
        begin = rng.randint(0, len(context.ids) - size)
    window = context.ids[begin : begin + size]
    shift = len(question) + 2 - begin
    start, end = (span[0] + shift, span[1] + shift) if span else (0, 0)
    ids = [CLS, *question, SEP, *window, SEP]
    if end >= len(ids) - 1:
        return None
    return Example(ids, [0] * (len(question) + 2) + [1] * (len(window) + 1), start, end)


POOL = 40  # batches sorted by length together


def batches(
    rows: Sequence[Row], tokens: Tokenizer, settings: Settings, rng: random.Random
) -> list[list[Example]]:
    """Batches of examples of like length; their order is random within pools."""
    made = [example(row, tokens, settings, rng) for row in rows]
    examples = [one for one in made if one is not None]
    result: list[list[Example]] = []
    size = settings.batch
    for begin in range(0, len(examples), POOL * size):
        pool = sorted(examples[begin : begin + POOL * size], key=lambda one: len(one.ids))
        group = [pool[n : n + size] for n in range(0, len(pool), size)]
        rng.shuffle(group)
        result += group
    return result


def tensors(batch: Sequence[Example]) -> dict[str, torch.Tensor]:
    """input_ids, attention_mask, token_type_ids, shape (batch, tokens), and starts, ends."""
    width = -(-max(len(one.ids) for one in batch) // 16) * 16
    return {
        "input_ids": torch.tensor([one.ids + [0] * (width - len(one.ids)) for one in batch]),
        "attention_mask": torch.tensor(
            [[1] * len(one.ids) + [0] * (width - len(one.ids)) for one in batch]
        ),
        "token_type_ids": torch.tensor(
            [one.types + [0] * (width - len(one.types)) for one in batch]
        ),
        "starts": torch.tensor([one.start for one in batch]),
        "ends": torch.tensor([one.end for one in batch]),
    }


def loss_of(model: SpanModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross entropy of start and end over [CLS] and the window's tokens."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = model(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
    scores = scores.float()
    allowed = batch["token_type_ids"].bool()
    allowed[:, 0] = True
    scores = scores.masked_fill(~allowed.unsqueeze(-1), -1e4)
    start = torch.nn.functional.cross_entropy(scores[..., 0], batch["starts"])
    end = torch.nn.functional.cross_entropy(scores[..., 1], batch["ends"])
    return (start + end) / 2


def train(data: Path, run: Path, settings: Settings) -> SpanModel:
    """Train, or go on training, in the folder `run`; returns the trained model."""
    run.mkdir(parents=True, exist_ok=True)
    (run / "settings.json").write_text(json.dumps(asdict(settings), indent=1) + "\n")
    rng = random.Random(settings.seed)  # noqa: S311
    torch.manual_seed(settings.seed)
    tokens = tokenizer()
    plan = [
        batch
        for wanted in (settings.rows, settings.late_rows)
        for batch in batches(draw(data, wanted, settings, rng), tokens, settings, rng)
    ]
    model = new_model().train()
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    warm = max(1, int(settings.warmup * len(plan)))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min((n + 1) / warm, max(0.0, (len(plan) - n) / (len(plan) - warm)))
    )
    first = _resume(run, model, optimizer, schedule)
    began, losses = time.time(), []
    for number in range(first, len(plan)):
        loss = loss_of(model, tensors(plan[number]))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if (number + 1) % 50 == 0 or number + 1 == len(plan):
            rate = (time.time() - began) / (number + 1 - first) / settings.batch
            _log(run, {"step": number + 1, "of": len(plan), "loss": sum(losses) / len(losses),
                       "seconds_an_example": round(rate, 4)})  # fmt: skip
            losses.clear()
        if (number + 1) % 200 == 0 or number + 1 == len(plan):
            _save(run, number + 1, model, optimizer, schedule)
    return model


def _resume(run: Path, model: SpanModel, optimizer: Any, schedule: Any) -> int:
    file = run / "checkpoint.pt"
    if not file.exists():
        return 0
    saved = torch.load(file, weights_only=True)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    schedule.load_state_dict(saved["schedule"])
    return int(saved["step"])


def _save(run: Path, step: int, model: SpanModel, optimizer: Any, schedule: Any) -> None:
    new = run / "checkpoint.new"
    torch.save(
        {
            "step": step,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        },
        new,
    )
    new.replace(run / "checkpoint.pt")


def _log(run: Path, entry: dict[str, Any]) -> None:
    with (run / "log.jsonl").open("a") as log:
        log.write(json.dumps(entry) + "\n")


def export(model: SpanModel, folder: Path) -> None:
    """Write what `app.reader.span` reads: int8 ONNX, the tokenizer, and model.json."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    digest = export_int8(model, inputs, "scores", folder / "reader.onnx")
    shutil.copyfile(default_weights() / "tokenizer.json", folder / "tokenizer.json")
    about = {"format": FORMAT, "sha256": digest, "calibration": {"scale": 1.0, "bias": 0.0}}
    (folder / "model.json").write_text(json.dumps(about, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="folder of the question sets")
    parser.add_argument("run", type=Path, help="folder of the run; a killed run goes on there")
    options = parser.parse_args()
    export(train(options.data, options.run, Settings()), options.run / "model")


if __name__ == "__main__":
    main()
