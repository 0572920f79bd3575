"""How the reader weighs its evidence: fits the weights in its model.json.

    python -m eval.calibrate DATA [--model DIR] [--write]

The ranking is fitted so that the right span comes first (a softmax over the spans of each
question), the log-odds by logistic regression on whether the first span is right. On questions
that nothing was trained on: the development halves of the shipped sets over the seeds, half of
the documents of DATA/dev/speech_dev over their own passages, and a sample of the held articles of
DATA/train/squad_dev over theirs, and another over the seeds, where nothing answers. Each kind
counts as COUNTS says, however many its questions. A question for which nothing was found is left
out.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.answer import passages_of
from app.assemble import Parts, build_seeds, open_parts
from app.reader import Passage, Span
from app.reader.evidence import (
    MARGIN_ALONE,
    Evidence,
    EvidenceReader,
    Found,
    Weights,
    lead,
    ranking,
    sentence_of,
)
from app.reader.span import MODEL, SpanReader, read_about
from app.settings import Settings
from eval.collection import questions_of
from eval.questions import Question, load, shipped
from eval.reading import SEED, for_fitting, rows_of
from eval.system import index_of
from index.errors import or_exit
from index.retrieve import Hit, Query

FOLDS = 5
SEEDS = "the shipped sets"
ELSEWHERE = "squad_held over the seeds"
# What each kind of question counts together. The spoken ones count less: most are worded far from
# the words that answer. The shipped sets' questions without an answer are near misses, most of
# them; people also ask what the transcripts never speak of.
COUNTS = {SEEDS: 1.0, "speech_dev": 0.25, "squad_held": 0.5, ELSEWHERE: 0.25}
WRITTEN = 150  # of squad_held's questions, over each
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PULL = 0.01  # towards 0, of the weights of standardized evidence


@dataclass(frozen=True, slots=True)
class Case:
    """What was found for a question, which of it is right, and how much the question counts."""

    found: tuple[Found, ...]
    right: tuple[bool, ...]
    weight: float

    def is_right(self, one: Found) -> bool:
        return self.right[self.found.index(one)]


def cases(
    parts: Parts, model: Path, questions: Sequence[Question], settings: Settings, weight: float
) -> Iterator[Case]:
    """Each question through retrieval and the reader in `model`; together they count `weight`."""
    spans = SpanReader.open(model, threads=settings.threads)
    reader = EvidenceReader(spans, MARGIN_ALONE)
    for question in questions:
        hits = parts.retriever.retrieve(Query(question.question), settings.policy.passages)
        passages = passages_of(parts.folder, hits)
        found = reader.evidence(question.question, passages)
        right = [_is_right(question, hits[one.passage], passages[one.passage], one.span)
                 for one in found]  # fmt: skip
        if found:
            yield Case(tuple(found), tuple(right), weight / len(questions))


def _is_right(question: Question, hit: Hit, passage: Passage, span: Span) -> bool:
    """Whether the sentence that the span would be shown in holds a gold, as `report` has it."""
    sentence = sentence_of(passage, span)
    start = hit.chunk.start + min(span.start, sentence.start)
    end = hit.chunk.start + max(span.end, sentence.end)
    return hit.chunk.transcript_id == question.transcript and any(
        start < gold.end and gold.start < end for gold in question.golds
    )


def fit_ranking(given: Sequence[Case]) -> Evidence:
    """The weights under which the right spans come first, by maximum likelihood."""
    from scipy.optimize import minimize

    able = [case for case in given if any(case.right)]
    rows = [np.array([astuple(one.evidence) for one in case.found]) for case in able]
    right = [np.array(case.right) for case in able]
    counts = np.array([case.weight for case in able])
    counts /= counts.sum()
    scale = np.concatenate(rows).std(axis=0)
    scale[scale < 1e-6] = np.inf  # the same for all, so nothing can be learned of it

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total, slope = PULL * float(weights @ weights), 2 * PULL * weights
        for row, its_right, count in zip(rows, right, counts, strict=True):
            scaled = row / scale
            scores = scaled @ weights
            share = np.exp(scores - scores.max())
            share /= share.sum()
            of_right = share[its_right] / share[its_right].sum()
            total -= count * float(np.log(share[its_right].sum()))
            slope = slope + count * (share @ scaled - of_right @ scaled[its_right])
        return total, slope

    best = minimize(loss, np.zeros(rows[0].shape[1]), jac=True, method="L-BFGS-B")
    return Evidence(*(round(float(weight), 4) for weight in best.x / scale))


def fit_answering(given: Sequence[Case], order: Evidence) -> Weights:
    """The log-odds that the first span of a question is right."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    ranks = replace(MARGIN_ALONE, ranking=order)
    rows, right = [], []
    for case in given:
        ranked = ranking(ranks, case.found)
        first = ranked[0][1]
        rows.append([*astuple(first.evidence), lead(ranked)])
        right.append(case.is_right(first))
    counts = np.array([case.weight for case in given])
    fitted = make_pipeline(StandardScaler(), LogisticRegression())
    fitted.fit(rows, right, logisticregression__sample_weight=counts / counts.mean())
    scaler, regression = fitted[0], fitted[1]
    weights = regression.coef_[0] / scaler.scale_
    bias = float(regression.intercept_[0] - weights @ scaler.mean_)
    *evidence, ahead = (round(float(weight), 4) for weight in weights)
    return Weights(order, Evidence(*evidence), ahead, round(bias, 4))


def fit(given: Sequence[Case]) -> Weights:
    """The ranking, and then the log-odds of what it puts first."""
    return fit_answering(given, fit_ranking(given))


def thresholds(given: Sequence[Case]) -> Iterator[str]:
    """What each threshold on the confidence buys, as a table's lines.

    Each case is answered with weights that were fitted without it and a fifth of the others.
    """
    found: list[tuple[float, bool, float]] = []
    for n in range(FOLDS):
        weights = fit([case for m, case in enumerate(given) if m % FOLDS != n])
        for case in given[n::FOLDS]:
            ranked = ranking(weights, case.found)
            first = ranked[0][1]
            odds = weights.log_odds(first.evidence, lead(ranked))
            found.append((1 / (1 + math.exp(-odds)), case.is_right(first), case.weight))
    total = sum(weight for _, _, weight in found)
    yield "| threshold | answered | right of those |\n|---|---|---|"
    for threshold in THRESHOLDS:
        answered = sum(weight for confidence, _, weight in found if confidence >= threshold)
        right = sum(w for confidence, is_right, w in found if confidence >= threshold and is_right)
        precision = f"{right / answered:.0%}" if answered else "-"
        yield f"| {threshold} | {answered / total:.0%} | {precision} |"


def every_case(data: Path, model: Path) -> Iterator[Case]:
    """The cases of every kind of question in COUNTS, read by the reader in `model`."""
    with tempfile.TemporaryDirectory() as temporary:
        settings = Settings.from_environment(index=Path(temporary) / "seeds")
        build_seeds(settings.index, settings)
        seeds = [q for name in shipped() for q in load(name) if q.split == "dev"]
        over_seeds = open_parts(settings)
        yield from cases(over_seeds, model, seeds, settings, COUNTS[SEEDS])
        spoken, asked = questions_of([r for r in rows_of(data, "speech_dev") if for_fitting(r)])
        own = replace(settings, index=index_of(spoken, _folder(temporary)))
        yield from cases(open_parts(own), model, asked, own, COUNTS["speech_dev"])
        written, asked = questions_of(rows_of(data, "squad_held"))
        asked = random.Random(SEED).sample(asked, 2 * WRITTEN)  # noqa: S311
        yield from cases(over_seeds, model, asked[:WRITTEN], settings, COUNTS[ELSEWHERE])
        own = replace(settings, index=index_of(written, _folder(temporary)))
        yield from cases(open_parts(own), model, asked[WRITTEN:], own, COUNTS["squad_held"])


def _folder(within: str) -> Path:
    return Path(tempfile.mkdtemp(dir=within))


def main() -> None:
    parser = argparse.ArgumentParser(description="fit how the reader weighs its evidence")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of the question sets")
    parser.add_argument("--model", type=Path, default=MODEL, help="the reader's folder")
    parser.add_argument("--write", action="store_true", help="put the weights into model.json")
    options = parser.parse_args()
    about = read_about(options.model)
    given = list(every_case(options.data, options.model))
    weights = fit(given)
    print(f"{len(given)} questions: {json.dumps(asdict(weights), indent=1)}")
    print("\n".join(thresholds(given)))
    if options.write:
        new = {**about, "weights": asdict(weights)}
        (options.model / "model.json").write_text(json.dumps(new, indent=1) + "\n")


if __name__ == "__main__":
    or_exit(main)
