"""Ask a question set and measure the answers.

The command `onrecord eval`: `app.cli` finds it as an entry point, gives it `--index` as it does
every command, and words its failures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from eval.questions import SPLITS, Question, check_golds, load, shipped
from eval.report import by_kind, by_split, figures, kinds_table, table
from eval.run import Ask, Row, TextOf, run, write_rows
from index.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments that `execute` reads, save `--index`, which it has."""
    parser.epilog = (
        "Without --index, a fresh index of the transcripts that ship is asked, whatever "
        "ONRECORD_INDEX names: the figures can be had again by anybody."
    )
    parser.add_argument(
        "set",
        metavar="SET",
        nargs="?",
        default="seed",
        help=f"a set that ships ({', '.join(shipped())}) or a JSONL file (default: seed)",
    )
    parser.add_argument(
        "--split",
        choices=[*SPLITS, "all"],
        default="all",
        help="which questions to ask (default: all; tune on dev only)",
    )
    parser.add_argument(
        "--out", metavar="FILE.jsonl", type=Path, help="write what came back, a line a question"
    )
    parser.add_argument(
        "--kinds", action="store_true", help="also show the figures for each kind of question"
    )


def execute(args: argparse.Namespace) -> int:
    """Run the set and print its table; 0, or 1 when a question failed.

    Raises OnRecordError: no such set or index, a set that does not fit the index's transcripts,
    an --out that cannot be written.
    """
    questions = _questions(args.set, args.split)
    with _open(args) as (ask, text_of):
        _require_golds(questions, text_of)
        rows = _rows(questions, ask, text_of, args.out)
    print(_tables(rows, args.kinds))
    errors = [row for row in rows if row.error is not None]
    if errors:
        print(
            f"onrecord: {len(errors)} of {len(rows)} questions failed and count as wrong; "
            f"the first, {errors[0].id}: {errors[0].error}",
            file=sys.stderr,
        )
    return 1 if errors else 0


@contextmanager
def _open(args: argparse.Namespace) -> Iterator[tuple[Ask, TextOf]]:
    """What answers the questions, and the texts it answers from.

    Without --index it is an index of the transcripts that ship, made for this run: figures must
    not depend on what somebody has indexed.
    """
    from app.answer import answer_object
    from app.assemble import Library, build_seeds
    from app.settings import Settings

    with TemporaryDirectory(prefix="onrecord-eval-") as temporary:
        settings = Settings.from_environment(index=args.index or Path(temporary) / "index")
        if args.index is None:
            build_seeds(settings.index, settings)
        # Measuring is not handing out: no ledger of the quotes.
        library = Library.open(settings, record=False)
        yield (
            lambda question: answer_object(library.ask(question)),
            lambda transcript: library.transcript(transcript).text,
        )


def _questions(name: str, split: str) -> list[Question]:
    questions = [question for question in load(name) if split in (question.split, "all")]
    if not questions:
        raise UsageError(f'The set {name} has no questions in the split "{split}".')
    return questions


def _require_golds(questions: Sequence[Question], text_of: TextOf) -> None:
    """Figures against gold answers that are not there would all be low, and mean nothing."""
    texts = {}
    for transcript in sorted({question.transcript for question in questions}):
        with suppress(KeyError):  # one that is not there is a fault to `check_golds`
            texts[transcript] = text_of(transcript)
    faults = check_golds(questions, texts)
    if faults:
        raise UsageError(
            f"The set does not fit the index's transcripts (faults: {len(faults)}): {faults[0]}"
        )


def _rows(questions: Sequence[Question], ask: Ask, text_of: TextOf, out: Path | None) -> list[Row]:
    from tqdm import tqdm

    rows = run(questions, ask, text_of)
    if out is not None:
        rows = write_rows(rows, out)
    # disable=None shows the bar on a terminal only.
    return list(tqdm(rows, total=len(questions), unit="question", disable=None, leave=False))


def _tables(rows: Sequence[Row], kinds: bool) -> str:
    splits = by_split(rows)
    tables = [table({split: figures(part) for split, part in splits.items()})]
    if kinds:
        for split, part in splits.items():
            slices = {kind: figures(some) for kind, some in by_kind(part).items()}
            tables.append(f"{split}\n{kinds_table(slices)}")
    return "\n\n".join(tables)
