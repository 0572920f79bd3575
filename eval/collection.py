"""Questions against all passages of their set at once: what is left of reading once the passage
has to be found, and how far confidence can be trusted.

    python -m eval.collection DATA SET [--rows N] [--half] [--raw]

SET is xquad_en or speech_dev, in DATA/dev. Every passage becomes a transcript of one index; of
speech_dev only the documents are asked about on which `eval.calibrate` was not fitted. With
--half, every other question is asked with its passage left out, so that it has no answer. With
--raw, the reader's margin alone ranks and decides, for comparison.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.answer import Answerer, answer_object
from app.assemble import index_transcripts, open_parts
from app.reader.sets import Row as SetRow
from app.reader.span import SpanReader
from app.settings import Settings
from eval import metrics
from eval.questions import Gold, Question, check_golds
from eval.reading import SEED, for_fitting, rows_of
from eval.report import figures, is_right, table
from eval.run import Ask, Row, run
from index.errors import OnRecordError
from index.retrieve import Hit, Query, Retriever

SETS = ("xquad_en", "speech_dev")
FITTED = ("speech_dev",)  # of which `calibrate` has seen half of the documents
RISKS = (0.05, 0.1, 0.2)


@dataclass(frozen=True, slots=True)
class Without:
    """A Retriever that never finds one transcript."""

    retriever: Retriever
    transcript_id: str

    def retrieve(self, query: Query, k: int, /) -> list[Hit]:
        hits = self.retriever.retrieve(query, 2 * k)
        return [hit for hit in hits if hit.chunk.transcript_id != self.transcript_id][:k]


def questions_of(rows: Sequence[SetRow]) -> tuple[dict[str, str], list[Question]]:
    """The passages by name, and the questions over them."""
    names: dict[str, str] = {}
    questions = []
    for n, row in enumerate(rows):
        name = names.setdefault(row.context, f"passage-{len(names):04}")
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
            )
        )
    return {name: text for text, name in names.items()}, questions


def index_of(texts: Mapping[str, str], folder: Path) -> Path:
    """An index of the passages, made in `folder`."""
    passages = folder / "passages"
    passages.mkdir()
    for name, text in texts.items():
        (passages / f"{name}.txt").write_text(text, encoding="utf-8", newline="")
    report = index_transcripts(Settings.from_environment(index=folder / "index"), [passages])
    if report.failures or report.notes:
        raise OnRecordError(f"not all passages were indexed: {[*report.failures, *report.notes]}")
    return folder / "index"


def ask_all(questions: Sequence[Question], half: bool, raw: bool, folder: Path) -> Iterator[Row]:
    """Ask the questions over the index in `folder`; with `half`, every other one unanswerably."""
    settings = Settings.from_environment(index=folder)
    parts = open_parts(settings)
    reader = SpanReader.open(threads=settings.threads) if raw else parts.reader

    def asking(retriever: Retriever) -> Ask:
        answerer = Answerer(parts.folder, retriever, reader, settings.policy)

        def ask(question: str) -> Mapping[str, Any]:
            answer = answerer.ask(question)
            # Unrounded, so that the surest are told apart.
            return {**answer_object(answer), "confidence": answer.confidence}

        return ask

    def text_of(transcript: str) -> str:
        return parts.folder.transcript(transcript).text

    texts = {summary.id: text_of(summary.id) for summary in parts.folder.summaries()}
    if faults := check_golds(questions, texts):
        raise OnRecordError(f"the passages do not hold their golds: {faults[0]}")
    for n, question in enumerate(questions):
        retriever: Retriever = parts.retriever
        if half and n % 2:
            retriever = Without(retriever, question.transcript)
            question = replace(question, answerable=False, golds=())  # noqa: PLW2901
        yield from run([question], asking(retriever), text_of)


def risk_lines(rows: Sequence[Row]) -> Iterator[str]:
    """AURC, and coverage at each of RISKS: an answer to what has none is wrong."""
    confidences = [row.confidence or 0.0 for row in rows]
    right = [is_right(row, (*row.quotes, *row.nearest)[:1]) for row in rows]
    area = metrics.aurc(confidences, right)
    yield f"AURC {area:.3f}" if area is not None else "no questions"
    for risk in RISKS:
        covered = metrics.coverage_at_risk(confidences, right, risk)
        yield f"coverage at {risk:.0%} risk {covered or 0:.1%}"


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
    texts, questions = questions_of(rows)
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
    print(table({options.set: figures(answered)}))
    print("\n".join(risk_lines(answered)))


if __name__ == "__main__":
    main()
