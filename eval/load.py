"""The server under load and under attack, on loopback, over the shipped transcripts.

python -m eval.load [PART...] [--requests N] [--seconds S]     (no part: all of them)

Figures of one run, printed as a table; nothing here is a test. Wants a machine that is idle.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

from eval.metrics import percentile
from eval.questions import load
from eval.tables import aligned

if TYPE_CHECKING:
    import httpx

ONRECORD = [sys.executable, "-m", "app"]
IN_FLIGHT = (1, 2, 8)
ROUNDS = 3
TIMES = 5  # what it can take
SLOW_CLIENTS = 300
CUT_WITHIN = 25.0  # seconds; the doors wait 15
REPLACED = 3  # times the index is
BACK_WITHIN = 120.0  # seconds, after which it is not back

Part = Callable[["Bench"], Iterator[tuple[str, str]]]


@dataclass(slots=True)
class Bench:
    """What the parts share: where the index and its sources are, and how much to ask."""

    index: Path
    sources: Path
    requests: int
    seconds: float
    questions: list[str] = field(default_factory=lambda: [q.question for q in load("seed")])
    # Answers a second of the server with eight in flight, once that is known.
    capacity: float | None = None

    def some(self, n: int) -> list[str]:
        return [*islice(cycle(self.questions), n)]


@dataclass(slots=True)
class Tally:
    """What came back: statuses, the seconds of what was answered, and what must not be."""

    statuses: Counter[int] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    without_retry_after: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list)
    took: float = 0.0

    def __str__(self) -> str:
        others = {status: n for status, n in sorted(self.statuses.items()) if status != 200}
        refused = ", ".join(f"{n:,} times {status or 'nothing'}" for status, n in others.items())
        return f"{self.rate:.2f}/s, {seconds(self.times)}" + (refused and f"; {refused}")

    @property
    def rate(self) -> float:
        return len(self.times) / self.took if self.took else 0.0


def joined(tallies: Iterable[Tally]) -> Tally:
    """One after the other, as if they were one."""
    made = Tally()
    for tally in tallies:
        made.statuses += tally.statuses
        made.times += tally.times
        made.took += tally.took
    return made


def seconds(times: Sequence[float]) -> str:
    return f"p50 {percentile(times, 50) or 0:.2f} s, p95 {percentile(times, 95) or 0:.2f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m eval.load", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument(
        "--requests", type=int, default=10_000, metavar="N",
        help="questions of the memory's part; the others ask fewer (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, default=30.0, metavar="S",
        help="how long the parts last that have no number (default: %(default)s)",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}.")
    with tempfile.TemporaryDirectory() as temporary:
        bench = prepared(Path(temporary), options.requests, options.seconds)
        for name in options.parts or PARTS:
            rows = []
            for row in PARTS[name](bench):
                rows.append(row)
                print(f"  {row[0]}: {row[1]}", file=sys.stderr, flush=True)
            print(f"\n{name}\n{aligned(rows)}", flush=True)
    return 0


def prepared(folder: Path, requests: int, seconds: float) -> Bench:
    """A bench with sources and an index of its own."""
    from app.assemble import seeds_folder

    sources = folder / "transcripts"
    shutil.copytree(seeds_folder(), sources)
    subprocess.run(
        [*ONRECORD, "index", str(sources), "--index", str(folder / "index")],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return Bench(folder / "index", sources, requests, seconds)


# --- The server, and asking it -------------------------------------------------------------------


class Server:
    """`onrecord serve` in a process of its own."""

    def __init__(self, index: Path, port: int = 0) -> None:
        command = [*ONRECORD, "serve", "--port", str(port), "--index", str(index)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        said = self.process.stdout.readline()
        if "http://" not in said:
            raise RuntimeError("the server did not start; its own words stand above.")
        self.address = said.split()[4].rstrip("/")

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def megabytes(self) -> float:
        """What it holds of the memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@contextmanager
def serving(bench: Bench) -> Iterator[Server]:
    """A server that has answered a few questions already."""
    server = Server(bench.index)
    try:
        asyncio.run(ask_all(server, bench.some(8), 2))
        yield server
    finally:
        if server.process.poll() is None:
            server.close()


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    import httpx

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    async with httpx.AsyncClient(
        base_url=server.address, timeout=60, limits=limits, trust_env=False
    ) as client:
        yield client


async def ask(client: httpx.AsyncClient, question: str, tally: Tally) -> None:
    """Ask once, and count what comes back; 0 stands for nothing."""
    import httpx

    began = time.perf_counter()
    try:
        response = await client.post("/api/v1/ask", json={"question": question})
    except httpx.HTTPError:
        tally.statuses[0] += 1
        return
    tally.statuses[response.status_code] += 1
    if response.status_code == 200:
        tally.times.append(time.perf_counter() - began)
        tally.answers.append(response.json())
    elif "retry-after" not in response.headers:
        tally.without_retry_after += 1


async def ask_all(
    server: Server,
    questions: Sequence[str],
    in_flight: int,
    until: Callable[[], bool] = lambda: False,
) -> Tally:
    """Ask the questions, so many at a time, until there are none or `until` says so."""
    tally, waiting = Tally(), iter(questions)

    async def asker(client: httpx.AsyncClient) -> None:
        for question in waiting:
            if until():
                return
            await ask(client, question, tally)

    began = time.perf_counter()
    async with client_of(server) as client:
        await asyncio.gather(*(asker(client) for _ in range(in_flight)))
    tally.took = time.perf_counter() - began
    return tally


# --- The parts -----------------------------------------------------------------------------------


def throughput(bench: Bench) -> Iterator[tuple[str, str]]:
    """The answerer alone, in this process, against the API, with one, two and eight in flight.

    They take turns, so that what else the machine does troubles both.
    """
    from app.assemble import Library
    from app.settings import Settings

    questions = bench.some(max(8, min(40, bench.requests)))
    library = Library.open(Settings.from_environment(index=bench.index))
    for question in questions[:8]:
        library.ask(question)

    def alone(workers: int) -> Tally:
        tally, began = Tally(), time.perf_counter()
        with ThreadPoolExecutor(workers) as pool:
            tally.times += [answer.seconds for answer in pool.map(library.ask, questions)]
        tally.took = time.perf_counter() - began
        return tally

    with serving(bench) as server:
        for in_flight in IN_FLIGHT:
            # Beyond the workers of the settings, the answerer alone has no more at a time either.
            workers = min(in_flight, library.settings.workers)
            pairs = [
                (alone(workers), asyncio.run(ask_all(server, questions, in_flight)))
                for _ in range(ROUNDS)
            ]
            yield f"answerer alone, {workers} at a time", str(joined(one for one, _ in pairs))
            ours = joined(other for _, other in pairs)
            share = median(other.rate / one.rate for one, other in pairs) - 1
            yield f"API, {in_flight} in flight", f"{ours}; {100 * share:+.1f} % against alone"
            bench.capacity = ours.rate


def overload(bench: Bench) -> Iterator[tuple[str, str]]:
    """Five times what it can take, at a steady pace, whatever comes back."""
    with serving(bench) as server:
        capacity = bench.capacity or asyncio.run(ask_all(server, bench.some(16), 8)).rate
        pace = TIMES * capacity
        tally = asyncio.run(_ask_at_pace(server, bench, pace))
        yield f"asked at {pace:.1f}/s for {bench.seconds:.0f} s", str(tally)
        yield "refused without Retry-After", str(tally.without_retry_after)


async def _ask_at_pace(server: Server, bench: Bench, pace: float) -> Tally:
    tally = Tally()
    began = time.perf_counter()
    async with client_of(server) as client, asyncio.TaskGroup() as group:
        for n, question in enumerate(bench.some(int(pace * bench.seconds))):
            await asyncio.sleep(max(0.0, began + n / pace - time.perf_counter()))
            group.create_task(ask(client, question, tally))
    tally.took = time.perf_counter() - began
    return tally


def memory(bench: Bench) -> Iterator[tuple[str, str]]:
    """What the server holds, after each tenth of the requests."""
    with serving(bench) as server:
        yield "at the beginning", f"{server.megabytes():.0f} MB"
        step = max(1, bench.requests // 10)
        asked = 0
        while asked < bench.requests:
            tally = asyncio.run(ask_all(server, bench.some(step), 2))
            asked += step
            answered = tally.statuses[200]
            yield (
                f"after {asked:,}",
                f"{server.megabytes():.0f} MB ({answered:,} of {step:,} answered)",
            )


def slow(bench: Bench) -> Iterator[tuple[str, str]]:
    """300 clients that send a byte a second, while others ask."""
    with serving(bench) as server:
        ended, tally = asyncio.run(_ask_beside_slow(server, bench))
        yield f"asked beside {SLOW_CLIENTS} slow clients", str(tally)
        lasted = f", the last after {max(ended):.0f} s" if ended else ""
        yield "slow clients cut off", f"{len(ended)} of {SLOW_CLIENTS}{lasted}"


async def _ask_beside_slow(server: Server, bench: Bench) -> tuple[list[float], Tally]:
    ended: list[float] = []
    head = b"POST /api/v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

    async def dawdle(n: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        began = time.perf_counter()
        # Half of them dawdle in the head, half in the body.
        words = head + (b"Content-Length: 1000\r\n\r\n" + b" " * 999 if n % 2 else b"X" * 999)
        sent = len(head) + 24 if n % 2 else 10
        with suppress(OSError):
            writer.write(words[:sent])
            while not reader.at_eof():
                writer.write(words[sent : sent + 1])
                await writer.drain()
                sent += 1
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(65_536), 1)
        ended.append(time.perf_counter() - began)
        writer.close()

    slow_ones = [asyncio.create_task(dawdle(n)) for n in range(SLOW_CLIENTS)]
    await asyncio.sleep(1)
    tally = await ask_all(server, bench.some(max(4, min(60, bench.requests))), 2)
    await asyncio.wait(slow_ones, timeout=CUT_WITHIN)
    for task in slow_ones:
        task.cancel()
    await asyncio.gather(*slow_ones, return_exceptions=True)
    return ended, tally


def killed(bench: Bench) -> Iterator[tuple[str, str]]:
    """The server and an `onrecord index` beside it are killed while it answers; is it back?"""
    texts = _texts(bench)
    with serving(bench) as server:
        edited = _edit(bench, "killed")
        texts |= _texts(bench)
        indexing = subprocess.Popen(
            [*ONRECORD, "index", "--index", str(bench.index)], stdout=subprocess.DEVNULL
        )
        tally = asyncio.run(_kill_while_asked(server, bench, indexing))
        yield "before it was killed", f"{len(tally.times)} answers, {_wrong(tally, texts)} wrong"
        began = time.perf_counter()
        again = Server(bench.index, server.port)
    try:
        _wait_for_answer(again)
        yield "back, and answers again, after", f"{time.perf_counter() - began:.1f} s"
        tally = asyncio.run(ask_all(again, bench.some(max(4, min(40, bench.requests))), 2))
        yield "citations after that", f"{len(tally.times)} answers, {_wrong(tally, texts)} wrong"
    finally:
        again.close()
    edited()
    done = subprocess.run(
        [*ONRECORD, "index", "--index", str(bench.index)], check=False, capture_output=True
    )
    yield "`onrecord index` after that", "done" if done.returncode == 0 else "FAILED"
    yield "`onrecord check` after that", _checked(bench)


async def _kill_while_asked(
    server: Server, bench: Bench, indexing: subprocess.Popen[bytes]
) -> Tally:
    async def kill() -> None:
        await asyncio.sleep(2)  # in the midst of both
        indexing.kill()
        server.kill()
        indexing.wait()

    asked = ask_all(server, bench.some(10_000), 4, until=lambda: server.process.poll() is not None)
    tally, _ = await asyncio.gather(asked, kill())
    return tally


def _wait_for_answer(server: Server) -> None:
    end = time.perf_counter() + BACK_WITHIN
    while time.perf_counter() < end:
        with suppress(URLError, OSError), urlopen(f"{server.address}/readyz", timeout=5):
            if asyncio.run(ask_all(server, ["Why was Amnesty banned?"], 1)).times:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server was not back within {BACK_WITHIN:.0f} s.")


def replaced(bench: Bench) -> Iterator[tuple[str, str]]:
    """The index is replaced again and again while it is asked; every citation is looked up."""
    texts = _texts(bench)
    with serving(bench) as server:
        tally = asyncio.run(_replace_while_asked(server, bench, texts))
    versions = {
        quote["transcript"]["sha256"] for answer in tally.answers for quote in answer["quotes"]
    }
    yield f"asked while it was replaced {REPLACED} times", str(tally)
    yield (
        "citations",
        (
            f"{sum(len(answer['quotes'] + answer['nearest']) for answer in tally.answers):,} of "
            f"{len(versions)} transcript versions, {_wrong(tally, texts)} wrong"
        ),
    )
    yield "`onrecord check` after that", _checked(bench)


async def _replace_while_asked(server: Server, bench: Bench, texts: dict[str, str]) -> Tally:
    done = False

    async def replace() -> None:
        nonlocal done
        try:
            for n in range(REPLACED):
                back = _edit(bench, f"replaced {n}")
                texts.update(_texts(bench))
                command = [*ONRECORD, "index", "--index", str(bench.index)]
                process = await asyncio.create_subprocess_exec(
                    *command, stdout=asyncio.subprocess.DEVNULL
                )
                if await process.wait():
                    raise RuntimeError("`onrecord index` failed; its own words stand above.")
                back()
                await asyncio.sleep(2)
        finally:
            done = True

    asked = ask_all(server, bench.some(100_000), 4, until=lambda: done)
    tally, _ = await asyncio.gather(asked, replace())
    return tally


def _edit(bench: Bench, words: str) -> Callable[[], None]:
    """Put a line before every transcript, which moves all that is cited; gives the way back."""
    before = {file: file.read_text(encoding="utf-8") for file in bench.sources.glob("*.txt")}
    for file, text in before.items():
        file.write_text(f"A note that was put here later: {words}.\n{text}", encoding="utf-8")

    def back() -> None:
        for file, text in before.items():
            file.write_text(text, encoding="utf-8")

    return back


def _texts(bench: Bench) -> dict[str, str]:
    """The transcripts as they are now, by their hash."""
    from index.formats import find_files, read_transcript

    read = (read_transcript(file, file.stem)[0] for file in find_files(bench.sources))
    return {transcript.sha256: transcript.text for transcript in read}


def _wrong(tally: Tally, texts: dict[str, str]) -> int:
    """Citations whose words do not stand at their place in the version that they name."""
    wrong = 0
    for answer in tally.answers:
        for quote in answer["quotes"] + answer["nearest"]:
            text = texts.get(quote["transcript"]["sha256"], "")
            for span in (quote, quote["answer"]):
                wrong += text[span["start"] : span["end"]] != span["text"]
    return wrong


def _checked(bench: Bench) -> str:
    done = subprocess.run(
        [*ONRECORD, "check", "--index", str(bench.index)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip().rsplit(": ", 1)[-1] if done.returncode == 0 else done.stderr.strip()


PARTS: dict[str, Part] = {
    "throughput": throughput,
    "overload": overload,
    "memory": memory,
    "slow": slow,
    "killed": killed,
    "replaced": replaced,
}

if __name__ == "__main__":
    raise SystemExit(main())
