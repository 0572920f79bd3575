"""Training the span reader: from all-MiniLM-L6-v2's weights to start and end scores.

    python -m app.training.reader DATA RUN [--start app/reader/model] [--teacher RUN]
    python -m app.training.reader DATA RUN --mpnet FOLDER [--start RUN]

What DATA holds stands in `sets`. A run is a folder: settings.json, plan.pt, log.jsonl,
checkpoint.pt, from which a killed run goes on where it was, and at the end model/, which
`app.reader.span` reads.
With --start it learns on from an earlier reader. The second command makes a teacher, a reader too
large to ship, of all-mpnet-base-v2, or lets the teacher of another run learn on; with --teacher the
reader learns what the teacher of that run makes of each token, beside the answers.
`eval.calibrate` then fits how the reader weighs its evidence. Needs torch; nothing of On Record's
question path imports this module.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import math
import random
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from app.reader.evidence import MARGIN_ALONE
from app.reader.span import FORMAT, read_about
from app.training import begin, knows_bf16
from app.training.eased import APART, ease
from app.training.export import export_onnx, quantize
from app.training.models import (
    Likeness,
    SpanModel,
    average,
    new_model,
    new_teacher,
    start_from,
    tokenizer,
)
from app.training.sets import Example, Sets, Stage, read_rows, read_set
from index.embed import packaged_weights
from index.errors import OnRecordError

# Single sentences first, then short windows of everything, then windows as long as a chunk with
# more speech: cheap examples while there is most to learn.
STAGES = (
    Stage(rows={"qamr": 6_000}, window_tokens=(48, 64)),
    Stage(
        rows={
            "squadshifts": 17_100,
            "squad_dev": 7_050,
            "squad_train_small": 3_640,
            "qed": 3_340,
            "speech": 2_420,
            "fairytaleqa": 1_860,
            "disfl_qa": 1_490,
            "molweni": 890,
            "sleepqa": 370,
        },
        window_tokens=(40, 104),
        negatives=0.15,
        unpunctuated=0.15,
    ),
    Stage(
        rows={
            "squadshifts": 6_700,
            "squad_dev": 4_000,
            "squad_train_small": 1_800,
            "qed": 2_200,
            "speech": 5_800,
            "fairytaleqa": 900,
            "disfl_qa": 700,
            "molweni": 700,
        },
        window_tokens=(128, 216),
        negatives=0.3,
        unpunctuated=0.15,
    ),
)
# A reader that learns on: everything once more, then the passages that retrieval takes for the
# right one beside it, spoken ones above all.
FURTHER_STAGES = (
    Stage(
        rows={
            "squadshifts": 13_000,
            "squad_dev": 6_200,
            "squad_train_small": 2_800,
            "qed": 4_200,
            "speech": 1_400,
            "spoken": 1_400,
            "disfl_qa": 1_000,
            "fairytaleqa": 700,
            "molweni": 400,
        },
        window_tokens=(48, 144),
        negatives=0.15,
        unpunctuated=0.1,
    ),
    Stage(
        rows={
            "spoken": 6_200,
            "speech": 2_000,
            "squadshifts": 1_200,
            "squad_dev": 1_200,
            "qed": 800,
        },
        window_tokens=(128, 216),
        negatives=0.1,
        rivals=2,
        unpunctuated=0.1,
    ),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a run.

    The learning rate rises to `learning_rate` over the first share `warmup` of the steps, and
    falls to 0 over the rest.
    """

    stages: tuple[Stage, ...] = STAGES
    seed: int = 20261125
    batch: int = 24
    learning_rate: float = 2e-4
    warmup: float = 0.06
    weight_decay: float = 0.01
    dropout: float = 0.0  # of hidden values; while few examples come twice, none is better
    dev_rows: int = 96  # of each of DEV_SETS, read now and then while the run goes on
    # What choosing among the windows of one question counts, beside finding spans in each.
    comparing: float = 0.5
    keep: float = 0.0  # what the reader that was started from counts in the weights at the end
    taught: float = 0.7  # what a teacher's scores count beside the answers
    likened: float = 2.0  # what it counts to make of each token what a teacher makes of it


# What is learned on is averaged with what was known, which forgets less (Wortsman et al. 2022).
FURTHER = Settings(stages=FURTHER_STAGES, learning_rate=1.5e-4, warmup=0.02, keep=0.4)

# A reader that a teacher shows more than the answers: also of questions of which nobody marked the
# words. Speech comes most, where the teacher is furthest ahead.
TAUGHT = Settings(
    stages=(
        Stage(
            rows={
                "spoken": 11_000,
                "squad_dev": 5_500,
                "squadshifts": 5_000,
                "written": 4_500,
                "qed": 3_500,
                "speech": 2_500,
                "causes": 2_000,
                "squad_train_sentences": 2_000,
                "squad_train_small": 1_800,
                "disfl_qa": 600,
            },
            window_tokens=(64, 176),
            unpunctuated=0.1,
        ),
    ),
    seed=20261201,
    learning_rate=1.5e-4,
    warmup=0.02,
    keep=0.3,
)

# The teacher: no question twice, since a step takes six times as long as the reader's.
TEACHER = Settings(
    stages=(
        Stage(
            rows={
                "squadshifts": 7_000,
                "squad_dev": 5_500,
                "squad_train_small": 3_000,
                "spoken": 3_000,
                "qed": 2_500,
                "speech": 2_000,
                "disfl_qa": 500,
                "fairytaleqa": 300,
                "molweni": 200,
            },
            window_tokens=(48, 128),
            negatives=0.15,
            unpunctuated=0.1,
        ),
    ),
    learning_rate=4e-5,
)

# A teacher that learns on: mostly questions that it has not seen.
TEACHER_FURTHER = Settings(
    stages=(
        Stage(
            rows={
                "squadshifts": 10_000,
                "squad_dev": 5_000,
                "spoken": 3_500,
                "qed": 3_500,
                "squad_train_small": 2_000,
                "squad_train_sentences": 2_000,
                "speech": 1_500,
                "disfl_qa": 1_500,
                "fairytaleqa": 500,
                "molweni": 500,
            },
            window_tokens=(64, 144),
            negatives=0.1,
            unpunctuated=0.1,
        ),
    ),
    seed=20261129,
    learning_rate=4e-5,
    warmup=0.02,
)

PLAN = "plan.pt"  # in a run's folder
POOL = 40  # so many times a batch's size of questions are sorted by length together
LOG_STEPS = 50
SAVE_STEPS = 100
DEV_SETS = ("xquad_en", "speech_dev")
DEV_STEPS = 500
DEV_WINDOW = (216, 216)  # tokens
LIKENED_BY = 16  # batches of a run, from all of it, that the map to a teacher's words begins with
EASED_BY = 24  # batches of a run, from all of it, whose values int8 is fitted to


def batches(
    questions: Iterable[list[Example]], size: int, rng: random.Random
) -> list[list[Example]]:
    """Batches of at most `size` examples of like length, those of a question in one of them.

    Their order is random within pools. Raises ValueError where a question has more examples.
    """
    waiting = list(questions)
    if any(len(examples) > size for examples in waiting):
        raise ValueError(f"a question and its rivals do not fit in a batch of {size}")
    result: list[list[Example]] = []
    for first in range(0, len(waiting), POOL * size):
        pool = sorted(waiting[first : first + POOL * size], key=_longest)
        group: list[list[Example]] = [[]]
        for examples in pool:
            if group[-1] and len(group[-1]) + len(examples) > size:
                group.append([])
            group[-1] += examples
        rng.shuffle(group)
        result += group
    return result


def _longest(examples: Sequence[Example]) -> int:
    return max(len(one.ids) for one in examples)


def tensors(batch: Sequence[Example]) -> dict[str, torch.Tensor]:
    """The batch as the model and the losses want it.

    input_ids, attention_mask, token_type_ids of shape (batch, tokens); starts, ends, exact,
    questions of shape (batch,); and `right`, (batch, tokens, 2): which tokens the answer may start
    and end with.
    """
    width = max(len(one.ids) for one in batch)
    rest = [width - len(one.ids) for one in batch]
    right = torch.zeros(len(batch), width, 2, dtype=torch.bool)
    for n, one in enumerate(batch):
        right[n, one.start, 0] = right[n, one.end, 1] = True
        if not one.exact:
            right[n, one.start : one.end + 1] = True
    return {
        "input_ids": torch.tensor([one.ids + [0] * n for one, n in zip(batch, rest, strict=True)]),
        "attention_mask": torch.tensor(
            [[1] * len(one.ids) + [0] * n for one, n in zip(batch, rest, strict=True)]
        ),
        "token_type_ids": torch.tensor(
            [
                [0] * one.shift + [1] * (len(one.ids) - one.shift) + [0] * n
                for one, n in zip(batch, rest, strict=True)
            ]
        ),
        "starts": torch.tensor([one.start for one in batch]),
        "ends": torch.tensor([one.end for one in batch]),
        "exact": torch.tensor([one.exact for one in batch]),
        "questions": torch.tensor([one.question for one in batch]),
        "right": right,
    }


def words_of(model: SpanModel, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """What the model makes of each token, (batch, tokens, size), and the scores of them.

    The scores have shape (batch, tokens, 2), all but [CLS] and the window out of the running.
    """
    with torch.autocast("cpu", torch.bfloat16, enabled=knows_bf16()):
        words = model.words(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
        scores: torch.Tensor = model.spans(words)
    allowed = batch["token_type_ids"].bool()
    allowed[:, 0] = True
    return words.float(), scores.float().masked_fill(~allowed.unsqueeze(-1), -1e4)


def scores_of(model: SpanModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The scores alone."""
    return words_of(model, batch)[1]


def span_loss(scores: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """For each window how unlikely a right start and a right end are, their mean: shape (batch,).

    `scores` have shape (batch, tokens, 2), as in the other losses. Where no words were marked,
    any start and end in the sentence that answers are right.
    """
    likely = scores.log_softmax(1).masked_fill(~batch["right"], -1e4)
    return -likely.logsumexp(1).mean(-1)


def choice_loss(scores: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross entropy of choosing among the windows of one question.

    The right one is chosen by its log-odds of holding any span, so that margins compare across
    passages (after the shared normalization of Clark and Gardner 2018, which is over spans).
    """
    margins = (scores[:, 1:].logsumexp(1) - scores[:, 0]).sum(-1)
    others = batch["questions"][:, None] != batch["questions"][None, :]
    chosen = margins - margins.expand(len(margins), -1).masked_fill(others, -1e4).logsumexp(1)
    return -chosen[batch["starts"] > 0].sum() / len(chosen)


def taught_loss(
    scores: torch.Tensor, taught: torch.Tensor, batch: dict[str, torch.Tensor]
) -> torch.Tensor:
    """For each window how far the scores are from a teacher's, after Hinton et al. (2015).

    Both have shape (batch, tokens, 2), the divergences, means of start and end, (batch,). Where
    no words were marked, the teacher has to choose within the sentence that answers.
    """
    elsewhere = ~(batch["right"] | batch["exact"][:, None, None])
    likely = taught.masked_fill(elsewhere, -1e4).log_softmax(1)
    return (likely.exp() * (likely - scores.log_softmax(1))).sum(1).mean(-1)


def dev_figures(model: SpanModel, dev: Mapping[str, Sequence[Example]]) -> dict[str, float]:
    """For each set its mean loss, and the share of examples whose start and end are right."""
    figures = {}
    for name, examples in dev.items():
        batch = tensors(examples)
        with torch.no_grad():
            scores = scores_of(model, batch)
        right = _right(scores, batch)
        figures[f"{name} loss"] = round(span_loss(scores, batch).mean().item(), 4)
        figures[f"{name} right"] = round(sum(right) / len(right), 4)
    return figures


def dev_examples(data: Path, settings: Settings) -> dict[str, list[Example]]:
    """Examples of the sets in DATA/dev that are there, the same for every run."""
    rng = random.Random(settings.seed)  # noqa: S311
    sets = Sets(lambda name: read_rows(data / "dev" / f"{name}.jsonl.gz"), tokenizer())
    return {
        name: [
            example
            for examples in sets.examples(Stage({name: settings.dev_rows}, DEV_WINDOW), rng)
            for example in examples
        ]
        for name in DEV_SETS
        if (data / "dev" / f"{name}.jsonl.gz").exists()
    }


def plan(data: Path, settings: Settings) -> list[list[Example]]:
    """The batches of the whole run, in order: the same for the same settings, data, retriever."""
    rng = random.Random(settings.seed)  # noqa: S311
    sets = Sets(functools.partial(read_set, data), tokenizer())
    return [
        batch
        for stage in settings.stages
        for batch in batches(sets.examples(stage, rng), settings.batch, rng)
    ]


def planned(data: Path, run: Path, settings: Settings) -> list[list[Example]]:
    """The plan as it was drawn when the run began: finding rivals takes minutes."""
    if not (run / PLAN).exists():
        _save(run / PLAN, [[asdict(one) for one in batch] for batch in plan(data, settings)])
    return _drawn(run)


def _drawn(run: Path) -> list[list[Example]]:
    batches = torch.load(run / PLAN, weights_only=True)
    return [[Example(**one) for one in batch] for batch in batches]


def train(
    data: Path,
    run: Path,
    settings: Settings,
    start: Path | None = None,
    teacher: Path | None = None,
) -> SpanModel:
    """Train a reader, or go on training it, in the folder `run`; returns it.

    `start` is the folder of a reader to learn on from, `teacher` that of a teacher's run. Raises
    OnRecordError where the run was begun with others or with other settings.
    """
    model, teaching = new_model(), trained_teacher(teacher) if teacher else None
    if teaching and knows_bf16():
        teaching.bfloat16()  # once, not at each step
    if start:
        start_from(model, start / "reader.onnx")
    before = read_about(start)["sha256"] if start else None
    begin(run, settings, start=before, teacher=str(teacher.resolve()) if teacher else None)
    fit(model, data, run, settings, teaching)
    if start and settings.keep:
        average(model, start, settings.keep)
    return model


def trained_teacher(run: Path) -> SpanModel:
    """The teacher that a run has made. Raises OnRecordError where the run is none or not over."""
    try:
        begun = json.loads((run / "settings.json").read_text(encoding="utf-8"))
        folder = Path(begun["mpnet"])
        saved = torch.load(run / "checkpoint.pt", weights_only=True)
        step, steps = saved["step"], saved["of"]
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, UnpicklingError) as error:
        raise OnRecordError(
            f"{run}: no teacher was trained here; make one with --mpnet first."
        ) from error
    if step < steps:
        raise OnRecordError(f"{run}: this teacher is at step {step} of {steps}; run it to its end.")
    teacher = new_teacher(folder)
    teacher.load_state_dict(saved["model"])
    return teacher.eval()


def fit(
    model: SpanModel, data: Path, run: Path, settings: Settings, teacher: SpanModel | None = None
) -> None:
    """Train the model, or go on training it, in the folder `run`."""
    torch.manual_seed(settings.seed)
    steps, dev = planned(data, run, settings), dev_examples(data, settings)
    for name, part in model.named_modules():
        if isinstance(part, torch.nn.Dropout):
            # Not of attention: it costs a random number for every pair of tokens.
            part.p = 0.0 if "attention.self" in name else settings.dropout
    likeness = likeness_to(teacher, model, steps) if teacher else None
    learning = [*model.parameters(), *(likeness.parameters() if likeness else ())]
    optimizer = torch.optim.AdamW(
        learning,
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    warm = max(1, int(settings.warmup * len(steps)))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda n: min((n + 1) / warm, max(0.0, (len(steps) - n) / max(1, len(steps) - warm))),
    )
    first = _resume(run, model, optimizer, schedule, likeness)
    began, losses, unlikes, right = time.time(), [], list[float](), list[bool]()
    for number in range(first, len(steps)):
        batch = tensors(steps[number])
        model.train()
        words, scores = words_of(model, batch)
        loss = span_loss(scores, batch)
        # Whether to refuse is learned from the sets alone, the more exactly.
        answered = batch["starts"] > 0
        unlike = torch.zeros(())
        if teacher and likeness and answered.any():
            apart, unlike = taught_losses(teacher, likeness, words, scores, batch)
            loss = loss.masked_scatter(answered, loss[answered].lerp(apart, settings.taught))
        loss = loss.mean() + settings.likened * unlike
        loss = loss + settings.comparing * choice_loss(scores, batch)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        unlikes.append(unlike.item())
        right += _right(scores, batch)
        done = number + 1
        if done % LOG_STEPS == 0 or done == len(steps):
            entry = {
                "step": done,
                "of": len(steps),
                "loss": round(sum(losses) / len(losses), 4),
                "unlike": round(sum(unlikes) / len(unlikes), 4),
                "right": round(sum(right) / max(1, len(right)), 4),
                "seconds_a_step": round((time.time() - began) / (done - first), 3),
            }
            if done % DEV_STEPS == 0 or done == len(steps):
                entry |= dev_figures(model.eval(), dev)
            with (run / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
            losses.clear()
            unlikes.clear()
            right.clear()
        if done % SAVE_STEPS == 0 or done == len(steps):
            state = {
                "step": done,
                "of": len(steps),
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "likeness": likeness.state_dict() if likeness else None,
            }
            _save(run / "checkpoint.pt", state)
    model.eval()


def _right(scores: torch.Tensor, batch: dict[str, torch.Tensor]) -> list[bool]:
    """Whether start and end are both right, of the examples that have them marked."""
    starts, ends = scores[..., 0].argmax(1), scores[..., 1].argmax(1)
    right = (starts == batch["starts"]) & (ends == batch["ends"])
    marked: list[bool] = right[batch["exact"]].tolist()
    return marked


def taught_losses(
    teacher: SpanModel,
    likeness: Likeness,
    words: torch.Tensor,
    scores: torch.Tensor,
    batch: dict[str, torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    """How far the scores are from the teacher's, (answered,), and the words from its own.

    Both over the windows that answer: of the others a teacher is not asked.
    """
    answered = batch["starts"] > 0
    asked = {name: values[answered] for name, values in batch.items()}
    shown = asked["attention_mask"].bool()
    with torch.no_grad():
        taught_words, taught = words_of(teacher, asked)
    unlike = likeness(words[answered][shown], taught_words[shown])
    return taught_loss(scores[answered], taught, asked), unlike


def likeness_to(teacher: SpanModel, model: SpanModel, steps: Sequence[list[Example]]) -> Likeness:
    """How like the teacher's words the model's are, over batches from all of a run."""
    words, taught = [], []
    for batch in map(tensors, steps[:: math.ceil(len(steps) / LIKENED_BY)]):
        shown = batch["attention_mask"].bool()
        with torch.no_grad():
            words.append(words_of(model, batch)[0][shown])
            taught.append(words_of(teacher, batch)[0][shown])
    likeness = Likeness(words[0].shape[1], taught[0].shape[1])
    likeness.fit(torch.cat(words), torch.cat(taught))
    return likeness


def _resume(
    run: Path, model: SpanModel, optimizer: Any, schedule: Any, likeness: Likeness | None
) -> int:
    file = run / "checkpoint.pt"
    if not file.exists():
        return 0
    saved = torch.load(file, weights_only=True)
    model.load_state_dict(saved["model"])
    if likeness:
        likeness.load_state_dict(saved["likeness"])
    optimizer.load_state_dict(saved["optimizer"])
    schedule.load_state_dict(saved["schedule"])
    return int(saved["step"])


def _save(file: Path, what: Any) -> None:
    """Written whole or not at all."""
    new = file.with_suffix(".new")
    torch.save(what, new)
    new.replace(file)


def export(model: SpanModel, run: Path) -> None:
    """Write the run's model/, int8, and fp32/, to compare it with; `app.reader.span` reads both.

    What int8 is fitted to is drawn from the run's plan.
    """
    steps = _drawn(run)
    shown = steps[:: math.ceil(len(steps) / EASED_BY)]
    model = ease(model, map(tensors, shown))
    full, small = run / "fp32", run / "model"
    for folder in (full, small):
        folder.mkdir(exist_ok=True)
        shutil.copyfile(packaged_weights() / "tokenizer.json", folder / "tokenizer.json")
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    export_onnx(model, model.bert, inputs, "scores", full / "reader.onnx")
    quantize(full / "reader.onnx", small / "reader.onnx", apart=APART)
    words = hashlib.sha256((small / "tokenizer.json").read_bytes()).hexdigest()
    for folder in (full, small):
        digest = hashlib.sha256((folder / "reader.onnx").read_bytes()).hexdigest()
        about = {
            "format": FORMAT,
            "sha256": digest,
            "tokenizer_sha256": words,
            "weights": asdict(MARGIN_ALONE),
        }
        (folder / "model.json").write_text(json.dumps(about, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="folder of the question sets")
    parser.add_argument("run", type=Path, help="folder of the run; a killed run goes on there")
    parser.add_argument(
        "--start", type=Path, help="folder of a reader, or of a teacher's run, to learn on from"
    )
    parser.add_argument("--teacher", type=Path, help="folder of a teacher's run, to learn from")
    parser.add_argument("--mpnet", type=Path, help="folder of all-mpnet-base-v2: make a teacher")
    options = parser.parse_args()
    data, run, start, teacher = options.data, options.run, options.start, options.teacher
    if options.mpnet and teacher:
        parser.error("a teacher has none itself; leave out --teacher")
    try:
        if options.mpnet:
            settings = TEACHER_FURTHER if start else TEACHER
            model = trained_teacher(start) if start else new_teacher(options.mpnet)
            before = str(start.resolve()) if start else None
            begin(run, settings, mpnet=str(options.mpnet.resolve()), start=before)
            fit(model, data, run, settings)
        else:
            further = TAUGHT if teacher else FURTHER
            settings = further if start else Settings()
            export(train(data, run, settings, start, teacher), run)
    except OnRecordError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
