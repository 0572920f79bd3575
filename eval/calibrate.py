"""From the reader's margin to a probability: fits the calibration in its model.json.

    python -m eval.calibrate DATA/dev/speech_dev.jsonl.gz [--model DIR] [--write]

Fitted by logistic regression on whether the first quote is right, on questions that nothing
was trained on: the development half of the seed's questions, asked through the whole pipeline,
and meeting questions read over their own passage and others of the same meeting.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from app.reader import Passage, Reader
from app.reader.span import MODEL, SpanReader
from eval.questions import load
from eval.reading import Item, items

PASSAGES = 6
Point = tuple[float, bool]  # (score of the first span, whether it is right)


def points_of_meetings(reader: Reader, found: list[Item]) -> Iterator[Point]:
    """Each question over its own passage and up to PASSAGES - 1 others of the same title."""
    passages: defaultdict[str, list[str]] = defaultdict(list)
    for item in found:
        if item.passage not in passages[item.title]:
            passages[item.title].append(item.passage)
    for item in found:
        others = [text for text in passages[item.title] if text != item.passage]
        texts = [item.passage, *others[: PASSAGES - 1]]
        spans = reader.read(item.question, [Passage(text, ()) for text in texts])
        ranked = [(its[0].score, n, its[0]) for n, its in enumerate(spans) if its]
        score, n, span = max(ranked, key=lambda one: one[0])
        golds = [(start, start + len(text)) for start, text in item.golds]
        right = n == 0 and any(span.start < end and start < span.end for start, end in golds)
        yield score, right


def points_of_seed() -> Iterator[Point]:
    """The development questions on the seed, through retrieval and all."""
    from app.assemble import Library, build_seeds
    from app.settings import Settings

    with tempfile.TemporaryDirectory() as temporary:
        settings = Settings.from_environment(index=Path(temporary))
        build_seeds(settings.index, settings)
        library = Library.open(settings, record=False)
        for question in load("seed"):
            if question.split == "dev":
                answer = library.ask(question.question)
                quote = (answer.quotes or answer.nearest)[0]
                right = any(
                    quote.start < gold.end and gold.start < quote.end for gold in question.golds
                )
                yield quote.score, right


def main() -> None:
    parser = argparse.ArgumentParser(description="fit the reader's calibration")
    parser.add_argument("meetings", type=Path, metavar="speech_dev.jsonl.gz")
    parser.add_argument("--model", type=Path, default=MODEL, help="the reader's folder")
    parser.add_argument("--write", action="store_true", help="put it into model.json")
    options = parser.parse_args()

    import numpy as np
    from sklearn.linear_model import LogisticRegression

    file = options.model / "model.json"
    about = json.loads(file.read_text())
    old = about["calibration"]
    reader = SpanReader.open(options.model, threads=2)
    seed = list(points_of_seed())
    meetings = list(points_of_meetings(reader, items(options.meetings)))
    # Both count alike, however many questions they have.
    weights = [1 / len(seed)] * len(seed) + [1 / len(meetings)] * len(meetings)
    scores = np.array([score for score, _ in seed + meetings])
    margins = (scores - old["bias"]) / old["scale"]
    right = [right for _, right in seed + meetings]
    fitted = LogisticRegression(C=1e6).fit(
        margins.reshape(-1, 1), right, sample_weight=np.array(weights) * len(weights)
    )
    new = {
        "scale": round(float(fitted.coef_[0][0]), 4),
        "bias": round(float(fitted.intercept_[0]), 4),
    }
    print(f"{len(seed)} seed and {len(meetings)} meeting questions: {new}")
    if options.write:
        file.write_text(json.dumps({**about, "calibration": new}, indent=1) + "\n")


if __name__ == "__main__":
    main()
