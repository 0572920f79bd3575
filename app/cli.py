"""`onrecord`: the command line. Parses, calls, prints; the work is done elsewhere.

Heavy imports happen inside the commands, so that --help is instant. Exit codes: 0 done
(a refusal is an answer), 1 something failed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
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
    command.add_argument("--k", type=positive, metavar="N",
                         help="at most N quotes (default: ONRECORD_QUOTES, or 3)")  # fmt: skip
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

    command = _command(commands, "doctor", _doctor, "say what is wrong with this installation")
    command.add_argument("--json", action="store_true", help="print the findings as JSON")
    command.add_argument("--port", type=_port, default=7860,
                         help="the server's port (default: %(default)s)")  # fmt: skip

    _add_keys(commands)

    command = _command(commands, "serve", _serve, "the chat page in the browser, and the API")
    command.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s)")
    command.add_argument("--port", type=_port, default=7860, help="port (default: %(default)s)")
    command.add_argument("--open-to-everyone", action="store_true",
                         help="let in whoever can reach it, without a key or a login")  # fmt: skip

    for name, extension in _extensions():
        help_text = extension.__doc__.strip().splitlines()[0].rstrip(".")
        help_text = help_text[0].lower() + help_text[1:]
        command = _command(commands, name, extension.execute, help_text)
        extension.add_arguments(command)
    return parser


def _add_keys(commands: Any) -> None:
    help_text = "the API keys: who may come in with one"
    keys = commands.add_parser("keys", help=help_text, description=help_text + ".")
    actions = keys.add_subparsers(metavar="ACTION", required=True)
    command = _command(actions, "add", _add_key, "make a key, and show it this once")
    command.add_argument("name", metavar="NAME", help="who or what it is for")
    command.add_argument("--expires", type=_lasting, metavar="TIME",
                         help="how long it is good, as 90d or 12h (default: no end)")  # fmt: skip
    _command(actions, "list", _list_keys, "list the keys by name")
    command = _command(actions, "revoke", _revoke_key, "take a key back")
    command.add_argument("name", metavar="NAME")


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


def positive(value: str) -> int:
    """A whole number from 1, for argparse."""
    if not re.fullmatch(r"0*[1-9]\d{0,8}", value, re.ASCII):
        raise argparse.ArgumentTypeError(f"{value} is not a whole number from 1")
    return int(value)


def _port(value: str) -> int:
    if not re.fullmatch(r"\d{1,5}", value, re.ASCII) or int(value) > 65535:
        raise argparse.ArgumentTypeError(f"{value} is no port; ports are 0 to 65535")
    return int(value)


def _lasting(value: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,4})([dh])", value)
    if not found:
        raise argparse.ArgumentTypeError(f"{value} is no time; give days or hours, as 90d or 12h")
    return timedelta(**{{"d": "days", "h": "hours"}[found[2]]: int(found[1])})


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
    from app.batch import json_line

    answer = library.ask(
        options.question,
        transcript=options.transcript,
        speaker=options.speaker,
        quotes=options.k,
    )
    if options.json:
        print(json_line(answer_object(answer)))
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


def _batch_lines(name: str) -> list[tuple[int, str]]:
    from app.batch import lines_of

    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: cannot be read ({error.strerror}).") from None
    return lines_of(data)


def _ask_batch(lines: Sequence[tuple[int, str]], library: Library, k: int | None) -> int:
    from app.batch import answer_line, json_line

    failed = 0
    for number, line in lines:
        result = answer_line(library, line, number, k)
        failed += "error" in result
        print(json_line(result), flush=True)
    if failed:
        print(f"onrecord: {failed} of {len(lines)} questions could not be asked.", file=sys.stderr)
    return 1 if failed else 0


# --- verify, cite ------------------------------------------------------------------------

VERDICTS = {
    "exact": "Exact: these words stand in the record.",
    "altered": "Altered: the record has other words.",
    "other_speaker": "Said by someone else: the words stand in the record, but not as theirs.",
    "not_found": "Not found: nobody says that on the record.",
}


def _verify(options: argparse.Namespace) -> int:
    from app.answer import checked
    from app.batch import json_line
    from app.verify import verified_object

    checked(options.claim, "claim")  # before the index is opened: it may have to be made first
    found = _library(options).verify(options.claim, speaker=options.speaker)
    if options.json:
        print(json_line(verified_object(found)))
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
    from app.settings import HERE
    from index.folder import Folder

    settings = settings_of(options)
    found = Ledger(settings.index).handed(options.quote, Folder.open(settings.index))
    if found is None:
        raise UsageError(
            f"{settings.index} never handed out a quote {options.quote}; ids come with the quotes "
            "of `onrecord ask`."
        )
    print(cite(found, options.form, settings.url or HERE), end="")
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


# --- doctor ------------------------------------------------------------------------------


def _doctor(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from app.batch import json_line
    from app.doctor import examine

    findings = []
    for finding in examine(options.index, options.port):
        findings.append(finding)
        if not options.json:
            print(f"{'ok' if finding.ok else 'wrong':5}  {finding.check:8}  {finding.detail}")
    well = all(finding.ok for finding in findings)
    if options.json:
        print(json_line({"ok": well, "checks": [asdict(finding) for finding in findings]}))
    elif well:
        print("All is well. `onrecord check` proves every stored offset and hash.")
    return 0 if well else 1


# --- keys --------------------------------------------------------------------------------


def _add_key(options: argparse.Namespace) -> int:
    from app.api.keys import Keys

    print(Keys(settings_of(options).index).add(options.name, options.expires))
    print(
        "Keep it now: it is stored as a hash only. Send it as `Authorization: Bearer KEY`; from "
        "now on the server asks everybody for a key.",
        file=sys.stderr,
    )
    return 0


def _list_keys(options: argparse.Namespace) -> int:
    from app.api.keys import Keys

    now = datetime.now(UTC)
    for key in Keys(settings_of(options).index).all():
        word = "expired" if key.has_expired(now) else "expires"
        until = f"{word} {key.expires}" if key.expires else "does not expire"
        print(f"{key.name}  made {key.created}  {until}")
    return 0


def _revoke_key(options: argparse.Namespace) -> int:
    from app.api.keys import Keys

    Keys(settings_of(options).index).revoke(options.name)
    print(f"The key {options.name} opens nothing any more.")
    return 0


# --- serve -------------------------------------------------------------------------------


def _serve(options: argparse.Namespace) -> int:
    from app.serve import serve

    serve(
        _library(options),
        options.host,
        options.port,
        open_to_everyone=options.open_to_everyone,
    )
    return 0
