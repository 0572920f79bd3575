"""`onrecord`: the command line. Parses, calls, prints; the work is done elsewhere.

Heavy imports happen inside the commands, so that --help is instant. Exit codes: 0 done
(a refusal is an answer), 1 something failed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from app.cite import FORMS, cite, clock
from index import __version__
from index.errors import OnRecordError, UsageError

if TYPE_CHECKING:
    from app.answer import Answer, Quote
    from app.assemble import Library
    from app.settings import Settings
    from app.verify import Edit
    from index.build import Progress

DESCRIPTION = "Ask transcripts; get the exact words back, with who said them and where."
EPILOG = """\
examples:
  onrecord index interviews/ call.txt     make the index, or bring it up to date
  onrecord ask "Why was Amnesty banned?"  ask it
  onrecord serve                          ask it in the browser

Without --index, the index is $ONRECORD_INDEX, else a folder under your data directory;
if there is none yet, it is made from the transcripts that ship with On Record.
Exit codes: 0 done (a refusal is an answer), 1 something failed, 2 wrong usage.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code = int(options.execute(options))
        sys.stdout.flush()
        return code
    except UsageError as error:
        return _fail(error, 2)
    except OnRecordError as error:
        return _fail(error, 1)
    except BrokenPipeError:
        return _nobody_reads()
    except KeyboardInterrupt:
        return 130


def _nobody_reads() -> int:
    # Whoever read our output has gone: what is still buffered must not fail again at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _fail(error: Exception, code: int) -> int:
    print(f"onrecord: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="onrecord",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"On Record {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = _command(commands, "index", _index, "make an index, or bring it up to date")
    command.add_argument("paths", nargs="*", type=Path, metavar="PATH",
                         help="transcripts or folders of them (none: as before)")  # fmt: skip
    command.add_argument("--remove", action="append", default=[], metavar="ID",
                         help="take a transcript out of the index")  # fmt: skip
    command.add_argument("--model", help="a sentence-transformers model's name or path")

    command = _command(commands, "ask", _ask, "ask a question, or a file of them")
    command.add_argument("question", nargs="?", metavar="QUESTION")
    command.add_argument("--json", action="store_true", help="print the answer as JSON")
    command.add_argument("--speaker", metavar="NAME", help="only what this speaker says")
    command.add_argument("--transcript", metavar="ID", help="only in this transcript")
    command.add_argument("--k", type=_positive, metavar="N", help="at most N quotes (default 3)")
    command.add_argument("--batch", metavar="FILE.jsonl",
                         help="questions (id, question[, history, transcript, speaker]), one JSON "
                         "object a line, - for standard input; answers the same way")  # fmt: skip

    command = _command(commands, "verify", _verify, "tell whether words stand in the record")
    command.add_argument("claim", metavar="CLAIM", help="the words, as they are said to have been")
    command.add_argument("--json", action="store_true", help="print the verdict as JSON")
    command.add_argument("--speaker", metavar="NAME", help="who is said to have said them")

    command = _command(commands, "cite", _cite, "print a quote with its source, to put on a page")
    command.add_argument(
        "quote", metavar="QUOTE_ID", help="its id, q_..., as `onrecord ask` gave it"
    )
    command.add_argument("--as", dest="form", choices=FORMS, default="text",
                         help="the form; wikitext is MediaWiki's, confluence its storage format, "
                         "json JSON-LD (default: %(default)s)")  # fmt: skip

    _command(commands, "check", _check, "prove every stored offset and hash again")

    command = _command(commands, "serve", _serve, "the chat page in the browser")
    command.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s)")
    command.add_argument("--port", type=_port, default=7860, help="port (default: %(default)s)")

    for name, extension in _extensions():
        help_text = extension.__doc__.strip().splitlines()[0].rstrip(".")
        help_text = help_text[0].lower() + help_text[1:]
        command = _command(commands, name, extension.execute, help_text)
        extension.add_arguments(command)
    return parser


def _extensions() -> Iterator[tuple[str, Any]]:
    """Commands of other rooms that import this one: `onrecord eval`.

    They announce themselves as entry points, since imports run eval -> app -> index.
    """
    from importlib.metadata import entry_points

    for point in entry_points(group="onrecord.commands"):
        yield point.name, point.load()


def _command(commands: Any, name: str, execute: Any, help_text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=help_text, description=help_text[0].upper() + help_text[1:] + "."
    )
    command.add_argument("--index", type=Path, metavar="DIR", help="the index folder")
    command.set_defaults(execute=execute)
    return command


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError(value)
    return number


def _port(value: str) -> int:
    number = int(value)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{value} is no port; ports are 0 to 65535")
    return number


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings of the environment with a command's --index on top."""
    from app.settings import Settings

    return Settings.from_environment(index=options.index)


# --- index -------------------------------------------------------------------------------


def _index(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from app.assemble import index_transcripts

    settings = settings_of(options)
    if options.model:
        settings = replace(settings, model=options.model)
    with Bar() as progress:
        report = index_transcripts(
            settings, options.paths, remove=options.remove, progress=progress
        )
    for sentence in (*report.notes, *report.failures):
        print(f"onrecord: {sentence}", file=sys.stderr)
    for word, names in (
        ("added", report.added),
        ("changed", report.changed),
        ("removed", report.removed),
    ):
        for name in names:
            print(f"{word:8} {name}")
    counts = report.manifest.counts
    print(
        f"{settings.index}: {counts['transcripts']:,} transcripts "
        f"({len(report.unchanged):,} unchanged), {counts['segments']:,} segments, "
        f"{counts['chunks']:,} chunks."
    )
    return 1 if report.failures else 0


class Bar:
    """A progress bar on standard error, on a terminal only."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._what = ""

    def __enter__(self) -> Progress:
        return self._show

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _show(self, what: str, done: int, total: int) -> None:
        if not sys.stderr.isatty() or not total:
            return
        from tqdm import tqdm

        if what != self._what:
            self.__exit__()
            self._bar = tqdm(total=total, desc=what, unit="", leave=False, file=sys.stderr)
            self._what = what
        self._bar.update(done - self._bar.n)


# --- ask ---------------------------------------------------------------------------------


def _ask(options: argparse.Namespace) -> int:
    if (options.question is None) == (options.batch is None):
        raise UsageError("give one question, or a file of them with --batch.")
    if options.batch is not None and (options.speaker or options.transcript):
        raise UsageError("with --batch, a speaker or transcript is named in each line of the file.")
    if options.question is not None:
        from app.answer import checked

        checked(options.question)  # before the index is opened: it may have to be made first
        return _ask_one(options, _library(options))
    lines = _batch_lines(options.batch)
    return _ask_batch(lines, _library(options), options.k)


def _library(options: argparse.Namespace) -> Library:
    """The library of a command, with a progress bar where the index has to be made first."""
    from app.assemble import Library

    with Bar() as progress:
        return Library.open(settings_of(options), progress=progress)


def _ask_one(options: argparse.Namespace, library: Library) -> int:
    from app.answer import answer_object

    answer = library.ask(
        options.question,
        transcript=options.transcript,
        speaker=options.speaker,
        quotes=options.k,
    )
    if options.json:
        print(_line(answer_object(answer)))
    else:
        _print_answer(answer, sys.stdout)
    return 0


def _print_answer(answer: Answer, out: TextIO) -> None:
    if not answer.quotes:
        print("Nobody says that on the record.", file=out)
        if answer.nearest:
            print("Nearest quotes, which do not answer:", file=out)
    for number, quote in enumerate(answer.quotes or answer.nearest, 1):
        mark = bool(answer.quotes) and out.isatty()
        print(f"\n[{number}] {_marked(quote) if mark else quote.text}", file=out)
        print(f"    {_cited(quote)}", file=out)


def _marked(quote: Quote) -> str:
    start, end = quote.answer_start - quote.start, quote.answer_end - quote.start
    return f"{quote.text[:start]}\033[1m{quote.text[start:end]}\033[0m{quote.text[end:]}"


def _cited(quote: Quote) -> str:
    parts = [quote.speaker.name] if quote.speaker else []
    if quote.said_at:
        parts.append(clock(quote.said_at[0]))
    parts += [quote.source.title, f"characters {quote.start}-{quote.end}", quote.id]
    return " · ".join(parts)


def _batch_lines(name: str) -> list[str]:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: cannot be read ({error.strerror}).") from None
    # Only \n ends a line of JSON Lines; a broken byte breaks its own line only.
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").split("\n")


def _ask_batch(lines: Sequence[str], library: Library, k: int | None) -> int:
    from app.answer import answer_object

    asked = failed = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        asked += 1
        identity: Any = None
        try:
            request = _request(line, number)
            identity = request.get("id")
            answer = library.ask(
                _field(request, "question", str, number),
                _history(request, number),
                transcript=_field(request, "transcript", str, number, optional=True),
                speaker=_field(request, "speaker", str, number, optional=True),
                quotes=k,
            )
            result = {"id": identity, **answer_object(answer)}
        except OnRecordError as error:
            failed += 1
            result = {"id": identity, "error": str(error)}
        print(_line(result), flush=True)
    if failed:
        print(f"onrecord: {failed} of {asked} questions could not be asked.", file=sys.stderr)
    return 1 if failed else 0


def _line(result: dict[str, Any]) -> str:
    """JSON as people read it; escaped where UTF-8 could not hold it (half a character)."""
    line = json.dumps(result, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        return json.dumps(result)
    return line


def _request(line: str, number: int) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError(f"line {number} is not JSON; give one object a line.") from None
    if not isinstance(request, dict):
        raise UsageError(f"line {number} is not a JSON object with a question.")
    return request


def _field(
    request: dict[str, Any], name: str, kind: type, number: int, *, optional: bool = False
) -> Any:
    value = request.get(name)
    if value is None and optional:
        return None
    if not isinstance(value, kind):
        raise UsageError(f"line {number}: {name!r} is missing or is not text.")
    return value


def _history(request: dict[str, Any], number: int) -> list[str]:
    """Earlier questions: texts, or objects that have a "question"."""
    history = request.get("history") or []
    if not isinstance(history, list):
        raise UsageError(f"line {number}: 'history' is not a list of questions.")
    texts = [turn.get("question") if isinstance(turn, dict) else turn for turn in history]
    known = [text for text in texts if isinstance(text, str)]
    if len(known) < len(texts):
        raise UsageError(f"line {number}: 'history' is not a list of questions.")
    return known


# --- verify, cite ------------------------------------------------------------------------

VERDICTS = {
    "exact": "Exact: these words stand in the record.",
    "altered": "Altered: the record has other words.",
    "other_speaker": "Said by someone else: the words stand in the record, but not as theirs.",
    "not_found": "Not found: nobody says that on the record.",
}


def _verify(options: argparse.Namespace) -> int:
    from app.answer import checked
    from app.verify import verified_object

    checked(options.claim, "claim")  # before the index is opened: it may have to be made first
    found = _library(options).verify(options.claim, speaker=options.speaker)
    if options.json:
        print(_line(verified_object(found)))
        return 0
    print(VERDICTS[found.verdict])
    if found.verdict == "altered":
        print(f"\n    {_differences(found.diff)}")
    for number, quote in enumerate(found.quotes, 1):
        print(f"\n[{number}] {_marked(quote) if sys.stdout.isatty() else quote.text}")
        print(f"    {_cited(quote)}")
    return 0


def _differences(diff: Sequence[Edit]) -> str:
    """The claim turned into the record: [-claimed-] {+recorded+}."""
    words = []
    for kind, claimed, recorded in diff:
        if kind == "equal":
            words.append(recorded)
            continue
        words += [f"[-{claimed}-]"] * bool(claimed) + [f"{{+{recorded}+}}"] * bool(recorded)
    return " ".join(words)


def _cite(options: argparse.Namespace) -> int:
    from app.ledger import Ledger
    from index.folder import Folder

    settings = settings_of(options)
    found = Ledger(settings.index).handed(options.quote, Folder.open(settings.index))
    if found is None:
        raise UsageError(
            f"{settings.index} never handed out a quote {options.quote}; ids come with the quotes "
            "of `onrecord ask`."
        )
    print(cite(found, options.form, settings.url), end="")
    return 0


# --- check -------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> int:
    from app.ledger import Ledger
    from index.folder import Folder

    path = settings_of(options).index
    folder = Folder.open(path)
    ledger = Ledger(path)
    faults = [*folder.prove(), *ledger.prove()]
    for fault in faults:
        print(f"onrecord: {fault}", file=sys.stderr)
    counts = folder.manifest.counts
    print(
        f"{path}: {counts['transcripts']:,} transcripts, {counts['segments']:,} segments, "
        f"{counts['chunks']:,} chunks and {len(ledger):,} quotes: "
        + (f"{len(faults)} faults." if faults else "every offset and hash holds.")
    )
    return 1 if faults else 0


# --- serve -------------------------------------------------------------------------------


def _serve(options: argparse.Namespace) -> int:
    from app.serve import serve

    serve(_library(options), options.host, options.port)
    return 0
