"""Training the retriever: from all-MiniLM-L6-v2's weights to one that finds spoken words.

    python -m app.training.retriever DATA RUN     (DATA: see `sets`)

A run is a folder: settings.json, log.jsonl, round-*/ with their checkpoints, from which a killed
run goes on where it was, and at the end model/, which `index.embed` reads. Each round mines its
hard negatives anew: a batch is made of questions whose passages the model, as it is when the
round begins, takes for one another. Needs torch; nothing of On Record's question path imports
this module.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.training import begin, knows_bf16
from app.training.export import export_onnx, quantize
from app.training.sets import Row, read_set
from index.chunk import SIZE
from index.embed import DEFAULT_MODEL, FORMAT, load_transformer, packaged_weights
from index.errors import OnRecordError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import BertModel


@dataclass(frozen=True, slots=True)
class Round:
    """Pairs drawn from each set, and the rate that is reached after the warm-up."""

    rows: Mapping[str, int]
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a run; `scale` is the inverse of the loss's temperature."""

    rounds: tuple[Round, ...] = (
        Round(
            {
                "speech": 2_240,
                "qmsum": 320,
                "molweni": 200,
                "squadshifts": 1_400,
                "squad_dev": 1_200,
                "squad_train_small": 480,
                "qed": 1_000,
                "disfl_qa": 200,
                "fairytaleqa": 320,
                "sleepqa": 120,
            },
            learning_rate=6e-5,
        ),
        Round(
            {
                "spoken": 6_800,
                "speech": 2_000,
                "qmsum": 250,
                "squadshifts": 700,
                "squad_dev": 700,
                "qed": 600,
            },
            learning_rate=6e-5,
        ),
        Round(
            {
                "spoken": 8_400,
                "speech": 1_000,
                "qmsum": 200,
                "written": 900,
                "squadshifts": 500,
                "squad_dev": 500,
                "qed": 500,
            },
            learning_rate=5e-5,
        ),
    )
    seed: int = 20261125
    batch: int = 48
    group: int = 8  # questions of a batch whose passages are taken for one another
    scale: float = 20.0
    warmup: float = 0.08


SHORTEST = 250  # characters of the windows of a batch, at least; SIZE at most
NEAREST = 60  # passages looked at for a group
LOG_STEPS = 10
SAVE_STEPS = 50
_BOUNDARY = re.compile(r"[.?!]\s+|\n")


def passes(rows: Sequence[Row], count: int, rng: random.Random) -> Iterator[list[Row]]:
    """`count` of the rows, in passes over them: no pass has a row twice."""
    while count > 0:
        drawn = rng.sample(rows, min(count, len(rows)))
        count -= len(drawn)
        yield drawn


def window_of(row: Row, size: int, rng: random.Random) -> str:
    """At most `size` characters of the row's passage, or as many as hold the answer.

    A window begins with a sentence or a turn, as chunks do.
    """
    start, end = rng.choice(row.answers)
    size = max(size, min(end - start, SIZE))
    if len(row.context) <= size:
        return row.context
    begins = [0, *(found.end() for found in _BOUNDARY.finditer(row.context))]
    fitting = [n for n in begins if max(0, end - size) <= n <= start]
    begin = rng.choice(fitting) if fitting else max(0, min(start, end - size))
    return row.context[begin : begin + size]


def groups(
    rows: Sequence[Row], model: SentenceTransformer, size: int, rng: random.Random
) -> Iterator[list[Row]]:
    """Groups of rows whose passages the model finds for the first one's question.

    Passages that hold the first one's answer are left out: they may answer it too.
    """
    passages = list(dict.fromkeys(row.context for row in rows))
    place = {passage: n for n, passage in enumerate(passages)}
    waiting: defaultdict[int, list[int]] = defaultdict(list)
    for n, row in enumerate(rows):
        waiting[place[row.context]].append(n)
    questions = encode(model, [row.question for row in rows])
    texts = encode(model, passages)
    used = np.zeros(len(rows), dtype=bool)
    for first in rng.sample(range(len(rows)), len(rows)):
        if used[first]:
            continue
        row = rows[first]
        answers = [row.context[start:end].casefold() for start, end in row.answers]
        chosen = [first]
        used[first] = True
        for passage in np.argsort(-(texts @ questions[first]))[:NEAREST].tolist():
            if len(chosen) == size:
                break
            free = [n for n in waiting[passage] if not used[n]]
            if not free or passage == place[row.context]:
                continue
            if not any(answer in passages[passage].casefold() for answer in answers):
                chosen.append(free[0])
                used[free[0]] = True
        yield [rows[n] for n in chosen]


def batches(found: Iterable[list[Row]], size: int) -> list[list[Row]]:
    """Groups put together to batches of `size`, none with one passage twice.

    What fills no batch is left out.
    """
    result: list[list[Row]] = []
    batch: dict[str, Row] = {}
    waiting: list[Row] = []
    for group in found:
        waiting += group
        for row in list(waiting):
            if row.context in batch:
                continue
            batch[row.context] = row
            waiting.remove(row)
            if len(batch) == size:
                result.append(list(batch.values()))
                batch = {}
    return result


def encode(model: SentenceTransformer, texts: list[str]) -> np.ndarray[Any, Any]:
    import torch

    with torch.autocast("cpu", torch.bfloat16, enabled=knows_bf16()):
        vectors = model.encode(texts, batch_size=64, show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)


def plan(
    data: Path, settings: Settings, number: int, model: SentenceTransformer
) -> list[tuple[str, str]]:
    """The (question, window) pairs of one round, batch after batch.

    The windows of a batch are of like length, so that little is padded.
    """
    rng = random.Random(settings.seed + number)  # noqa: S311
    found = []
    for name, count in settings.rounds[number].rows.items():
        answerable = [row for row in read_set(data, name) if row.answers]
        for rows in passes(answerable, count, rng):
            found += batches(groups(rows, model, settings.group, rng), settings.batch)
    rng.shuffle(found)
    sizes = [rng.randint(SHORTEST, SIZE) for _ in found]
    return [
        (row.question, window_of(row, size, rng))
        for batch, size in zip(found, sizes, strict=True)
        for row in batch
    ]


def new_model(weights: Path) -> SentenceTransformer:
    """A model to train, without dropout: hardly a pair comes twice."""
    import torch

    model = load_transformer(str(weights))
    transformer: Any = model[0]
    transformer.auto_model.set_attn_implementation("eager")  # the faster one, backwards
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    return model


def train(data: Path, run: Path, settings: Settings) -> SentenceTransformer:
    """Train, or go on training, in the folder `run`; returns the trained model.

    Raises OnRecordError where the run was begun with other settings.
    """
    begin(run, settings)
    model = new_model(packaged_weights())
    for number in range(len(settings.rounds)):
        done = run / f"round-{number + 1}" / "done"
        if not done.exists():
            train_round(data, run, settings, number, model)
            model.save_pretrained(str(done), create_model_card=False)
        model = new_model(done)
    return model


def train_round(
    data: Path, run: Path, settings: Settings, number: int, model: SentenceTransformer
) -> None:
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.base.sampler import DefaultBatchSampler
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from torch.utils.data import SequentialSampler
    from transformers import TrainerCallback

    class InPlannedOrder(SentenceTransformerTrainer):
        def get_batch_sampler(
            self, dataset: Any, batch_size: int, drop_last: bool, *_: Any, **__: Any
        ) -> DefaultBatchSampler:
            return DefaultBatchSampler(SequentialSampler(dataset), batch_size, drop_last)

    class Log(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, **told: Any) -> None:
            at = {"round": number + 1, "step": state.global_step, "of": state.max_steps}
            entry = at | told["logs"]
            with (run / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(entry) + "\n")

    folder = run / f"round-{number + 1}"
    planned = folder / "plan.json"
    if not planned.exists():
        folder.mkdir(exist_ok=True)
        pairs = plan(data, settings, number, model)
        planned.with_suffix(".new").write_text(json.dumps(pairs), encoding="utf-8")
        planned.with_suffix(".new").rename(planned)
    pairs = json.loads(planned.read_text(encoding="utf-8"))
    trainer = InPlannedOrder(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(folder),
            num_train_epochs=1,
            per_device_train_batch_size=settings.batch,
            learning_rate=settings.rounds[number].learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=settings.warmup,
            weight_decay=0.01,
            logging_steps=LOG_STEPS,
            save_steps=SAVE_STEPS,
            save_total_limit=1,
            seed=settings.seed,
            use_cpu=True,
            bf16=knows_bf16(),
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict(
            {
                "question": [question for question, _ in pairs],
                "passage": [window for _, window in pairs],
            }
        ),
        loss=MultipleNegativesRankingLoss(model, scale=settings.scale),
        callbacks=[Log()],
    )
    saved = any(folder.glob("checkpoint-*"))
    trainer.train(resume_from_checkpoint=saved or None)


def export(model: SentenceTransformer, run: Path) -> None:
    """Write the run's model/, int8: `index.embed` reads it.

    The graph takes `input_ids` and `attention_mask`, shape (batch, tokens), int64, and gives
    mean-pooled unit vectors, shape (batch, 384).
    """
    import torch

    class Encoder(torch.nn.Module):
        def __init__(self, bert: BertModel) -> None:
            super().__init__()
            self.bert = bert

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            words = self.bert(
                input_ids=input_ids,
                attention_mask=attention_mask,
                token_type_ids=torch.zeros_like(input_ids),
            ).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(words.dtype)
            mean = (words * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, dim=1)

    made, full = run / "model", run / "fp32.onnx"
    made.mkdir(exist_ok=True)
    transformer: Any = model[0]
    encoder = Encoder(transformer.auto_model)
    export_onnx(encoder, encoder.bert, ["input_ids", "attention_mask"], "embedding", full)
    digest = quantize(full, made / "retriever.onnx")
    shutil.copyfile(packaged_weights() / "tokenizer.json", made / "tokenizer.json")
    about = {
        "format": FORMAT,
        "name": DEFAULT_MODEL,
        "sha256": digest,
        "tokenizer_sha256": hashlib.sha256((made / "tokenizer.json").read_bytes()).hexdigest(),
        "dimension": transformer.auto_model.config.hidden_size,
    }
    (made / "model.json").write_text(json.dumps(about, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="folder of the question sets")
    parser.add_argument("run", type=Path, help="folder of the run; a killed run goes on there")
    options = parser.parse_args()
    try:
        export(train(options.data, options.run, Settings()), options.run)
    except OnRecordError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
