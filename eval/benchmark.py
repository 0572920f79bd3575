"""How fast and how large: `make bench`. Ratios of one run, medians; nothing here is a test.

python -m eval.benchmark [PART...]     (embed, read, answer, many, harness, start, memory)
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from eval.questions import load

if TYPE_CHECKING:
    from app.assemble import Library
    from eval.questions import Question

ROUNDS = 3
COPIES = 24  # of the shipped transcripts: some thousand chunks
TEXTS = 1240
PASSAGES = 8  # that are read for a question
ONRECORD = [sys.executable, "-m", "app"]


def main() -> int:
    parts: dict[str, Callable[[Path], None]] = {
        "embed": embed,
        "read": read,
        "answer": answer,
        "many": many,
        "harness": harness,
        "start": start,
        "memory": memory,
    }
    wanted = sys.argv[1:] or list(parts)
    unknown = set(wanted) - set(parts)
    if unknown:
        print(f"benchmark: no part {', '.join(unknown)}; there are {', '.join(parts)}.")
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        for part in wanted:
            parts[part](Path(temporary))
    return 0


def library_in(folder: Path) -> Library:
    """A library of the shipped transcripts in a fresh index."""
    from app.assemble import Library, build_seeds
    from app.settings import Settings

    settings = Settings.from_environment(index=folder / "index")
    build_seeds(settings.index, settings)
    return Library.open(settings)


def embed(folder: Path) -> None:
    """Our embedder against sentence-transformers on torch, a model of the same size, in turn."""
    from app.settings import Settings
    from index.embed import (
        DEFAULT_MODEL,
        PACKAGED_MODEL,
        Embedder,
        SentenceTransformerEmbedder,
        open_embedder,
    )

    settings = Settings.from_environment()
    ours = open_embedder(DEFAULT_MODEL, threads=settings.threads)
    theirs = SentenceTransformerEmbedder.open(PACKAGED_MODEL)
    texts = _sentences()

    def seconds(embedder: Embedder) -> float:
        began = time.perf_counter()
        embedder.embed_passages(texts)
        return time.perf_counter() - began

    seconds(ours), seconds(theirs)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    print(
        f"embedding {len(texts)} sentences of {_tokens(texts):.0f} tokens on average: "
        f"{median(t / o for o, t in pairs):.2f} times sentence-transformers on torch "
        f"({len(texts) / median(o for o, _ in pairs):.0f}/s against "
        f"{len(texts) / median(t for _, t in pairs):.0f}/s, {ROUNDS} rounds in turn)"
    )


def _sentences() -> list[str]:
    """Sentences of the shipped transcripts, in order, joined in twos where they are short."""
    from app.assemble import seeds_folder
    from index.chunk import sentence_spans
    from index.formats import find_files, read_transcript

    sentences = []
    for file in find_files(seeds_folder()):
        transcript, _ = read_transcript(file, file.stem)
        spans = sentence_spans(transcript)
        sentences += [transcript.text[a:b] for a, b in spans if 100 <= b - a <= 300]
    # Told apart by a number, so that no two are alike.
    repeats = -(-TEXTS // len(sentences))
    return [f"{n}: {s}" for n in range(repeats) for s in sentences][:TEXTS]


def _tokens(texts: list[str]) -> float:
    from tokenizers import Tokenizer

    from index.embed import packaged_weights

    tokenizer = Tokenizer.from_file(str(packaged_weights() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts)) / len(texts)


def read(folder: Path) -> None:
    """The trained reader over the eight passages that are found for each question, warm."""
    from app.answer import passages_of
    from app.assemble import build_seeds, open_parts
    from app.reader.span import SpanReader
    from app.settings import Settings
    from eval.metrics import percentile
    from index.retrieve import Query

    settings = Settings.from_environment(index=folder / "read")
    build_seeds(settings.index, settings)
    parts = open_parts(settings)
    reader = SpanReader.open(threads=settings.threads)
    texts, times = [], []
    for question in [question.question for question in load("seed")]:
        hits = parts.retriever.retrieve(Query(question), PASSAGES)
        passages = passages_of(parts.folder, hits)
        texts += [passage.text for passage in passages]
        began = time.perf_counter()
        reader.read(question, passages)
        times.append(time.perf_counter() - began)
    print(
        f"reading {PASSAGES} passages of {_tokens(texts):.0f} tokens, "
        f"{len(times[5:])} questions: p50 {1000 * (percentile(times[5:], 50) or 0):.0f} ms, "
        f"p95 {1000 * (percentile(times[5:], 95) or 0):.0f} ms"
    )


def answer(folder: Path) -> None:
    """Answers of a warm process: every question of the seed set once to warm up, then timed."""
    print(f"an answer from a warm process, {_times(library_in(folder / 'answer'))}")


def many(folder: Path) -> None:
    """Answers over a thousand chunks: the shipped transcripts many times, told apart by numbers."""
    from app.assemble import Library, index_transcripts, seeds_folder
    from app.settings import Settings
    from index.formats import find_files

    transcripts = folder / "many"
    transcripts.mkdir()
    for file in find_files(seeds_folder()):
        text = file.read_text(encoding="utf-8")
        for n in range(COPIES):
            copy = transcripts / f"{file.stem}-{n}.txt"
            copy.write_text(text.replace(" the ", f" the {n}th "), encoding="utf-8")
    settings = Settings.from_environment(index=folder / "many-index")
    chunks = index_transcripts(settings, [transcripts]).manifest.counts["chunks"]
    print(f"an answer over {chunks:,} chunks, {_times(Library.open(settings))}")


def _times(library: Library) -> str:
    """What the questions of the seed set take, each asked once after twenty to warm up."""
    from eval.metrics import percentile

    questions = [question.question for question in load("seed")]
    for question in questions[:20]:
        library.ask(question)
    times = [library.ask(question).seconds for question in questions]
    return (
        f"{len(times[5:])} questions: p50 {1000 * (percentile(times, 50) or 0):.0f} ms, "
        f"p95 {1000 * (percentile(times, 95) or 0):.0f} ms"
    )


def harness(folder: Path) -> None:
    """What a run costs beside its answers: each question alone and in a run, in turn."""
    from app.answer import Answerer
    from eval.rows import write_rows
    from eval.run import run
    from eval.system import manifest_of, opened

    questions = load("seed")
    pairs: list[tuple[float, float]] = []
    with opened(None) as index:
        parts = index.parts
        answerer = Answerer(parts.folder, parts.retriever, parts.reader, index.settings.policy)
        manifest = manifest_of(index, "seed", "all", questions, 1)

        def alone(question: Question) -> float:
            began = time.perf_counter()
            answerer.ask(question.question)
            return time.perf_counter() - began

        def in_a_run(question: Question) -> float:
            began = time.perf_counter()
            list(write_rows(run([question], index), folder / "run.jsonl", manifest))
            return time.perf_counter() - began

        for question in questions[:20]:
            alone(question)
        for n, question in enumerate(questions):
            if n % 2:
                pairs.append((alone(question), in_a_run(question)))
            else:
                second = in_a_run(question)
                pairs.append((alone(question), second))
    extra = median(with_run / without for without, with_run in pairs) - 1
    seconds = {}
    for workers in (1, 2):
        with opened(None, workers=workers) as index:
            began = time.perf_counter()
            list(run(questions, index, workers))
            seconds[workers] = (time.perf_counter() - began) / len(questions)
    print(
        f"evaluation: in a run a question takes {100 * extra:+.1f} % of its time alone (median of "
        f"{len(pairs)} pairs); 1,000 questions would take {1000 * seconds[1]:.0f} s, with two "
        f"workers {1000 * seconds[2]:.0f} s"
    )


def start(folder: Path) -> None:
    """New processes: `onrecord ask` on the seed, and `onrecord --help`."""
    library_in(folder / "start")
    index = str(folder / "start" / "index")
    question = "Why was Amnesty banned?"

    def seconds(*arguments: str) -> float:
        began = time.perf_counter()
        subprocess.run([*ONRECORD, *arguments], check=True, capture_output=True)
        return time.perf_counter() - began

    asks = [seconds("ask", question, "--index", index) for _ in range(ROUNDS)]
    helps = [seconds("--help") for _ in range(ROUNDS)]
    print(
        f"a new process, {ROUNDS} times: `onrecord ask` {median(asks):.2f} s to the answer, "
        f"`onrecord --help` {median(helps):.2f} s"
    )


def memory(folder: Path) -> None:
    """Resident memory of a process that serves the page, after 100 questions."""
    library_in(folder / "memory")
    script = "from eval.benchmark import served; served()"
    index = str(folder / "memory" / "index")
    done = subprocess.run(
        [sys.executable, "-c", script, index], check=True, capture_output=True, text=True
    )
    print(f"resident memory of `serve` after 100 questions: {done.stdout.strip()} MB")


def served() -> None:
    """Serve the index named on the command line, ask it 100 questions, print the megabytes."""
    import urllib.request

    import uvicorn

    from app.assemble import Library
    from app.serve import create_app, listen
    from app.settings import Settings

    library = Library.open(Settings.from_environment(index=Path(sys.argv[1])))
    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(library), log_level="error"))
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    with urllib.request.urlopen(address, timeout=60) as page:
        page.read()
    questions = [question.question for question in load("seed")]
    for n in range(100):
        library.ask(questions[n % len(questions)])
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    print(int(kilobytes) // 1024)


if __name__ == "__main__":
    raise SystemExit(main())
