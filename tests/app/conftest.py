"""Three transcripts, and a library over them with the fake embedder and reader."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.answer import Policy
from app.assemble import Library
from app.serve import create_app, create_server, listen
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


@contextmanager
def serving(library: Library) -> Iterator[str]:
    """The address of a server over the library, on loopback, as `onrecord serve` runs it."""
    with listen("127.0.0.1", 0) as listener:
        server = create_server(create_app(library, host="127.0.0.1"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server over an index of its own, with the fake models."""
    shelf = stock(Shelf(tmp_path_factory.mktemp("served")))
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        with serving(Library.open(Settings(shelf.index, explicit=True))) as address:
            yield address
