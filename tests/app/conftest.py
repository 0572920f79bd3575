"""Three transcripts, and a library over them with the fake embedder and reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.answer import Policy
from app.settings import Settings
from tests.fakes import assemble_fakes
from tests.fixtures.shelf import Shelf
from tests.fixtures.transcripts import MEETING, REPORT

# Long enough for four chunks that overlap; every sentence is another one.
DIARY = "\n".join(
    f"{'Ida Moe' if n % 2 else 'Per Lie'}: On day number {n} we sailed {n + 3} miles along a "
    "coast that none of the maps on board had names for."
    for n in range(1, 22)
)


def stock(shelf: Shelf) -> Shelf:
    shelf.write("meeting.txt", MEETING)
    shelf.write("report.txt", REPORT)
    shelf.write("diary.txt", DIARY)
    shelf.build_all()
    return shelf


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A shelf with an index of the meeting, the report and the diary; only to be read."""
    return stock(Shelf(tmp_path_factory.mktemp("stocked")))


@pytest.fixture
def own(shelf: Shelf) -> Shelf:
    """The same for one test, which may change it."""
    return stock(shelf)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """`app.assemble` puts the fake embedder and reader in the place of models."""
    assemble_fakes(monkeypatch.setattr)


@pytest.fixture
def settings_for(tmp_path: Path) -> Callable[..., Settings]:
    """Settings of an index named with --index."""
    settings = Settings(index=tmp_path, explicit=True)
    return lambda index, **policy: replace(settings, index=index, policy=Policy(**policy))
