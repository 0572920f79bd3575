"""`onrecord doctor`: what is wrong with an installation, and what to do about it.

It looks, and mends nothing. Whether every stored offset and hash holds is `onrecord check`'s.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.request import urlopen

from packaging.requirements import Requirement

from app.api.keys import Keys
from app.assemble import open_parts, open_reader
from app.serve import listen
from app.settings import Settings
from index.embed import DEFAULT_MODEL, OnnxEmbedder
from index.errors import OnRecordError, UsageError
from index.folder import Folder, has_index

DISTRIBUTION = "on-record"
CONSTRAINTS = Path(__file__).parent.parent / "constraints.txt"  # in a checkout
MEMORY, DISK = 600, 500  # MB that a server and a growing index want

# A check gives what is well, in a few words; OnRecordError says what is not, and what to do.
Check = Callable[[Settings, int], str]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is well, and what is told of it."""

    check: str
    ok: bool
    detail: str


def examine(
    index: Path | None, port: int, environment: Mapping[str, str] = os.environ
) -> Iterator[Finding]:
    """Every finding, in order; without settings there is nothing else to look at."""
    try:
        settings = _settings(index, environment)
    except OnRecordError as error:
        yield Finding("settings", False, str(error))
        return
    yield Finding("settings", True, "every ONRECORD_ variable can be read")
    for name, check in CHECKS.items():
        try:
            yield Finding(name, True, check(settings, port))
        except OnRecordError as error:
            yield Finding(name, False, str(error))


def _settings(index: Path | None, environment: Mapping[str, str]) -> Settings:
    """The settings. Raises UsageError for one that cannot be read, or that is none."""
    asked = _Asked(environment)
    settings = Settings.from_environment(index=index, environment=asked)
    others = {name for name in environment if name.startswith("ONRECORD_")} - asked.names
    if others:
        raise UsageError(
            f"{', '.join(sorted(others))}: there is no such setting; the README lists those that "
            "there are."
        )
    return settings


class _Asked(dict[str, str]):
    """An environment that remembers which names were asked for."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(environment)
        self.names: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.names.add(name)
        return super().get(name, default)


def _packages(settings: Settings, port: int) -> str:
    try:
        wanted = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or ()]
    except metadata.PackageNotFoundError:
        raise OnRecordError("On Record itself is not installed; run `make setup`.") from None
    wrong = [
        fault
        for requirement in wanted
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if (fault := _fault(requirement, needed=True))
    ]
    pinned = CONSTRAINTS.read_text(encoding="utf-8").split() if CONSTRAINTS.exists() else []
    wrong += [fault for line in pinned if (fault := _fault(Requirement(line), needed=False))]
    if wrong:
        raise OnRecordError(f"{', '.join(dict.fromkeys(wrong))}; run `make setup` again.")
    python = ".".join(map(str, sys.version_info[:3]))
    return f"Python {python}, {len(wanted)} packages as they should be"


def _fault(requirement: Requirement, *, needed: bool) -> str | None:
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return f"{requirement.name} is missing" if needed else None
    if requirement.specifier.contains(found, prereleases=True):
        return None
    return f"{requirement.name} is {found}, not {requirement.specifier}"


def _weights(settings: Settings, port: int) -> str:
    open_reader(threads=1)
    if settings.model not in (None, DEFAULT_MODEL):
        return f"the reader has the sha256 that it shipped with; the model is {settings.model}"
    OnnxEmbedder.open(threads=1)
    return "the retriever and the reader have the sha256 that they shipped with"


def _index(settings: Settings, port: int) -> str:
    if not has_index(settings.index) and not settings.explicit:
        return f"{settings.index}: none yet; it is made from the seeds on first use"
    counts = Folder.open(settings.index).manifest.counts
    return f"{settings.index}: {counts['transcripts']:,} transcripts, {counts['chunks']:,} chunks"


def _vectors(settings: Settings, port: int) -> str:
    if not has_index(settings.index):
        return "no index, no vectors"
    folder = Folder.open(settings.index)
    for name in folder.manifest.files:
        if not folder.is_intact(name):
            raise OnRecordError(
                f"{name} is not as it was written; run `onrecord index` to make it again."
            )
    return f"{len(folder.store()):,} vectors, as they were written"


def _models(settings: Settings, port: int) -> str:
    if not has_index(settings.index):
        return "looked at when there is an index"
    parts = open_parts(settings)
    return f"{parts.embedder.identity.name} and the reader load, and fit the index"


def _folders(settings: Settings, port: int) -> str:
    folder = settings.index.absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise OnRecordError(
            f"{there} cannot be written; mend its permissions, or set ONRECORD_INDEX to another "
            "folder."
        )
    return "the index can be written"


def _keys(settings: Settings, port: int) -> str:
    keys = Keys(settings.index)
    if not keys.exist():
        return "no API keys: this machine alone comes in, or whom a trusted proxy names"
    mode = stat.S_IMODE(keys.file.stat().st_mode)
    if mode & 0o077:
        raise OnRecordError(
            f"{keys.file} can be read by others ({mode:o}); run `chmod 600 {keys.file}`."
        )
    return f"{len(keys.all())} API keys, which only their owner can read"


def _port(settings: Settings, port: int) -> str:
    try:
        listen("127.0.0.1", port).close()
    except OnRecordError:
        try:
            with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=3) as response:
                if json.load(response) == {"status": "ok"}:
                    return f"On Record answers at port {port}"
        except (OSError, ValueError):
            pass
        raise
    return f"port {port} is free"


def _memory(settings: Settings, port: int) -> str:
    facts = Path("/proc/meminfo")
    if not facts.exists():
        return "this system does not tell"
    lines = dict(line.split(":", 1) for line in facts.read_text().splitlines())
    free = int(lines["MemAvailable"].split()[0]) // 1024
    if free < MEMORY:
        raise OnRecordError(
            f"{free:,} MB of memory are free; the server wants {MEMORY}: stop something else."
        )
    return f"{free:,} MB are free"


def _disk(settings: Settings, port: int) -> str:
    folder = settings.index.absolute()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free // 1024**2
    if free < DISK:
        raise OnRecordError(
            f"{free:,} MB are free at {there}; a new version of the index wants {DISK}: free some."
        )
    return f"{free:,} MB are free at {there}"


CHECKS: Mapping[str, Check] = {
    "packages": _packages,
    "weights": _weights,
    "index": _index,
    "vectors": _vectors,
    "models": _models,
    "folders": _folders,
    "keys": _keys,
    "port": _port,
    "memory": _memory,
    "disk": _disk,
}
