"""What a set gives when the reader has learned from it too: trained on all folds but one, read on
that one, for each in turn.

    python -m eval.folds DATA SET RUN [--passes N]

SET is one of `eval.reading`, in DATA/dev. No document is in two folds. Each fold learns on from the
shipped reader for N passes over the other folds; a killed run goes on in the folder RUN. Needs
torch (`pip install -e '.[train]'`).
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from app.reader.span import MODEL, SpanReader
from app.training.sets import Row, Stage, part_of
from eval.reading import FILES, Read, figures, line, read, rows_of
from index.errors import or_exit

FOLDS = 5
WINDOW_TOKENS = (128, 216)
LEARNING_RATE = 7e-5


def write_set(rows: Sequence[Row], file: Path) -> None:
    """The rows as a set that training reads."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(file, "wt", encoding="utf-8") as out:
        for row in rows:
            answers = [{"text": row.context[a:b], "start": a} for a, b in row.answers]
            about = {"title": row.title, "question": row.question, "context": row.context}
            out.write(json.dumps({**about, "answers": answers, "answerable": bool(answers)}) + "\n")


def read_fold(rows: Sequence[Row], fold: int, run: Path, passes: int) -> list[Read]:
    """What a reader that learned from the other folds reads in this one."""
    # Here, since torch takes seconds.
    from app.training.reader import Settings, export, train

    others = [row for row in rows if part_of(row.title, FOLDS) != fold]
    write_set(others, run / "data" / "train" / "others.jsonl.gz")
    stage = Stage({"others": passes * len(others)}, WINDOW_TOKENS)
    settings = Settings(stages=(stage,), learning_rate=LEARNING_RATE)
    export(train(run / "data", run, settings, MODEL), run)
    reader = SpanReader.open(run / "model", threads=2)
    return [read(reader, row) for row in rows if part_of(row.title, FOLDS) == fold]


def main() -> None:
    parser = argparse.ArgumentParser(description="a set in training too, tested on held folds")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of the question sets")
    parser.add_argument("set", choices=list(FILES), metavar="SET", help=", ".join(FILES))
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the runs")
    parser.add_argument("--passes", type=int, default=2, help="over the other folds (2)")
    options = parser.parse_args()
    rows = rows_of(options.data, options.set)
    found = []
    for fold in range(FOLDS):
        found += read_fold(rows, fold, options.run / f"fold-{fold}", options.passes)
        print(line(f"{options.set}, {fold + 1}", figures(found)), flush=True)


if __name__ == "__main__":
    or_exit(main)
