"""What every test runs under: no network, none of the user's folders, the same random examples."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from index.folder import Folder
from index.formats import read_transcript
from index.transcript import Transcript
from tests.fixtures.shelf import Shelf

ROOT = Path(__file__).parent.parent
SLOW_MACHINES = [HealthCheck.too_slow]
settings.register_profile(
    "steady", derandomize=True, deadline=None, max_examples=50, suppress_health_check=SLOW_MACHINES
)
# `pytest --hypothesis-profile=search` looks for what the steady examples do not show.
settings.register_profile(
    "search", deadline=None, max_examples=1000, suppress_health_check=SLOW_MACHINES
)
settings.load_profile("steady")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """As if pytest were given pytest-socket's options each time, so that nobody can forget them."""
    config.option.disable_socket = True
    config.option.allow_unix_socket = True
    config.option.allow_hosts = "127.0.0.1,::1"


@pytest.fixture(scope="session", autouse=True)
def folders_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """HOME and all that On Record writes by default is below a temporary folder."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_DATA_HOME", str(home / "data"))
        for name in [*os.environ]:
            if name.startswith("ONRECORD_") and name != "ONRECORD_BROWSER":
                patch.delenv(name)
        yield home


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """A folder for transcripts and an index of them, made with the fake embedder."""
    return Shelf(tmp_path)


@pytest.fixture
def folder_of(shelf: Shelf) -> Callable[[dict[str, str]], Folder]:
    """Indexes files, {name: text}, with the fake embedder, and opens the index."""

    def made(files: dict[str, str]) -> Folder:
        for name, text in files.items():
            shelf.write(name, text)
        shelf.build_all()
        return shelf.open()

    return made


@pytest.fixture(scope="session")
def seed() -> Transcript:
    """The seed transcript, parsed."""
    transcript, note = read_transcript(ROOT / "seeds" / "trump-putin-call.txt", "trump-putin-call")
    assert note is None
    return transcript


@pytest.fixture(scope="session")
def seed_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of the seeds, made with the real model: for tests marked `model`."""
    from app.assemble import build_seeds
    from app.settings import Settings

    path = tmp_path_factory.mktemp("seeds") / "index"
    build_seeds(path, Settings.from_environment())
    return path
