"""Questions against all passages of their set at once: what is left of reading once the passage
has to be found, and how far confidence can be trusted.

    python -m eval.collection DATA SET [--rows N] [--half] [--raw]

SET is xquad_en or speech_dev, in DATA/dev. Every passage becomes a transcript of one index, for
speech_dev those of its training set too; of speech_dev only the documents are asked about on
which `eval.calibrate` was not fitted. With
--half, every other question is asked with its passage left out, so that it has no answer. With
--raw, the reader's margin alone ranks and decides, for comparison.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.assemble import open_parts
from app.reader.span import SpanReader
from app.settings import Settings
from app.training.sets import Row as SetRow
from app.training.sets import read_rows
from eval.figures import parts_of
from eval.questions import Gold, Question, check_golds
from eval.reading import SEED, for_fitting, rows_of
from eval.rows import Row
from eval.run import run
from eval.system import Index, index_of
from eval.tables import interval_table
from index.errors import OnRecordError, or_exit
from index.retrieve import Hit, Query, Retriever

SETS = ("xquad_en", "speech_dev")
FITTED = ("speech_dev",)  # of which `calibrate` has seen half of the documents


@dataclass(slots=True)
class Without:
    """A Retriever that never finds the transcript `left_out`, if there is one."""

    retriever: Retriever
    left_out: str | None = None

    def retrieve(self, query: Query, k: int, /) -> list[Hit]:
        if self.left_out is None:
            return self.retriever.retrieve(query, k)
        hits = self.retriever.retrieve(query, 2 * k)
        return [hit for hit in hits if hit.chunk.transcript_id != self.left_out][:k]


def others_of(data: Path, name: str) -> list[SetRow]:
    """Rows whose passages lie beside a set's own, to be told from them."""
    return read_rows(data / "train" / "speech.jsonl.gz") if name == "speech_dev" else []


def questions_of(
    rows: Sequence[SetRow], others: Sequence[SetRow] = ()
) -> tuple[dict[str, str], list[Question]]:
    """The passages by name, those of `others` too, and the questions over the rows' own."""
    names: dict[str, str] = {}
    for row in (*rows, *others):
        names.setdefault(row.context, f"passage-{len(names):04}")
    questions = []
    for n, row in enumerate(rows):
        name = names[row.context]
        golds = tuple(Gold(row.context[start:end], start) for start, end in row.answers)
        questions.append(
            Question(
                id=f"{row.dataset}-{n:04}",
                split="dev",
                kind="what",
                transcript=name,
                question=row.question,
                answerable=bool(golds),
                golds=golds,
                speaker=None,
                multi=False,
                near_miss=not golds,
                speaker_given=False,
            )
        )
    return {name: text for text, name in names.items()}, questions


def ask_all(questions: Sequence[Question], half: bool, raw: bool, folder: Path) -> Iterator[Row]:
    """Ask the questions over the index in `folder`; with `half`, every other one unanswerably."""
    settings = Settings.from_environment(index=folder)
    parts = open_parts(settings)
    without = Without(parts.retriever)
    reader = SpanReader.open(threads=settings.threads) if raw else parts.reader
    index = Index(replace(parts, retriever=without, reader=reader), settings)
    if faults := check_golds(questions, index.texts):
        raise OnRecordError(f"the passages do not hold their golds: {faults[0]}")
    for n, question in enumerate(questions):
        without.left_out = question.transcript if half and n % 2 else None
        if without.left_out is not None:
            question = replace(question, answerable=False, golds=())  # noqa: PLW2901
        yield from run([question], index)


def main() -> None:
    from tqdm import tqdm

    parser = argparse.ArgumentParser(description="questions against all passages of their set")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of the question sets")
    parser.add_argument("set", choices=SETS, metavar="SET", help=" or ".join(SETS))
    parser.add_argument("--rows", type=int, help="ask a sample of so many questions")
    parser.add_argument("--half", action="store_true", help="leave every other passage out")
    parser.add_argument("--raw", action="store_true", help="by the reader's margin alone")
    options = parser.parse_args()
    rows = rows_of(options.data, options.set)
    texts, questions = questions_of(rows, others_of(options.data, options.set))
    if options.set in FITTED:
        questions = [q for q, row in zip(questions, rows, strict=True) if not for_fitting(row)]
    if options.rows and options.rows < len(questions):
        questions = random.Random(SEED).sample(questions, options.rows)  # noqa: S311
    with tempfile.TemporaryDirectory() as temporary:
        index = index_of(texts, Path(temporary))
        answered = list(
            tqdm(
                ask_all(questions, options.half, options.raw, index),
                total=len(questions),
                unit="question",
                disable=None,
                leave=False,
            )
        )
    for part in parts_of(answered):
        print(interval_table(part))


if __name__ == "__main__":
    or_exit(main)
