"""The client and the examples in docs/api.md, against a server over the shipped transcripts."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.request import urlopen

import pytest

from app.answer import answer_object
from app.api.keys import Keys
from app.assemble import Library, seeds_folder
from app.client import Client, ClientError
from app.settings import Settings
from app.verify import verified_object
from tests.app.conftest import serving
from tests.conftest import ROOT
from tests.fakes import assemble_fakes
from tests.fixtures.shelf import Shelf

DOCS = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
HERE = "http://127.0.0.1:7860"
BANNED = "Why was Amnesty banned?"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    shelf = Shelf(tmp_path_factory.mktemp("seeds"))
    shelf.build(seeds_folder())
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        yield Library.open(Settings(shelf.index, explicit=True))


@pytest.fixture(scope="module")
def address(library: Library) -> Iterator[str]:
    with serving(library) as address:
        yield address


@pytest.fixture
def client(address: str) -> Client:
    return Client(address)


def untimed(answer: Any) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "seconds"}


# --- The documents --------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("example", blocks("sh"))
def test_a_curl_example_runs(address: str, example: str) -> None:
    script = "set -euo pipefail\n" + example.replace(HERE, address)
    environment = {**os.environ, "KEY": "none", "no_proxy": "*"}
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("{") or "test " in example


def test_every_route_stands_in_the_document(address: str) -> None:
    with urlopen(f"{address}/api/v1/openapi.json") as response:
        told = json.load(response)
    for path in told["paths"]:
        shown = re.escape(path).replace(r"\{id\}", "trump-putin-call")
        assert any(re.search(rf"{HERE}{shown}(?![\w/])", block) for block in blocks("sh")), path


def test_the_python_example_runs(address: str) -> None:
    (example,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", example.replace(HERE, address)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "Amnesty" in done.stdout
    assert f"{address}/q/q_" in done.stdout
    assert lines[-3:-1] == ["exact", "1 True"]
    assert lines[-1] == "422 the question is empty; ask something in words."


def test_the_client_needs_nothing_but_python() -> None:
    code = "import sys; sys.path[:0] = ['app']; import client; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "'client'" in done.stdout
    assert "'app'" not in done.stdout


# --- The client -----------------------------------------------------------------------------------


def test_it_asks_and_verifies(client: Client, library: Library) -> None:
    expected = library.ask(BANNED, [], transcript="trump-putin-call", quotes=1)
    got = client.ask(BANNED, transcript="trump-putin-call", k=1)
    assert untimed(got) == untimed(answer_object(expected))
    claim = "I'd just back away"
    assert client.verify(claim, speaker="Trump") == verified_object(
        library.verify(claim, speaker="Trump")
    )


def test_it_gives_a_batch_one_after_the_other(client: Client) -> None:
    results = client.batch([{"id": 1, "question": BANNED}, {"id": 2, "question": "?"}], k=1)
    first = next(results)
    assert (first["id"], len(first["quotes"])) == (1, 1)
    assert list(results) == [{"id": 2, "error": "the question is empty; ask something in words."}]


def test_it_gives_the_transcripts(client: Client, library: Library) -> None:
    assert [one["id"] for one in client.transcripts()] == [one.id for one in library.transcripts()]
    found = library.transcript("trump-putin-call")
    assert client.transcript("trump-putin-call")["text"] == found.text
    segments = [*client.segments("trump-putin-call", page=5)]
    assert [(one["start"], one["end"]) for one in segments] == [
        (segment.start, segment.end) for segment in found.segments
    ]
    assert client.index()["counts"]["transcripts"] == 3


def test_it_rates_an_answer(client: Client) -> None:
    answer = client.ask(BANNED)
    kept = client.feedback(answer, "wrong", correction="citing its support for Ukraine")
    assert kept["id"].startswith("c_")
    assert client.link(answer["quotes"][0]).endswith(f"/q/{answer['quotes'][0]['id']}")


def test_what_is_wrong_is_raised_in_a_sentence(client: Client) -> None:
    with pytest.raises(ClientError) as error:
        client.ask("?")
    assert (error.value.status, error.value.detail, error.value.retry_after) == (
        422, "the question is empty; ask something in words.", None,
    )  # fmt: skip
    with pytest.raises(ClientError) as error:
        client.transcript("../none")
    assert error.value.status == 404


def test_a_server_that_is_not_there_is_told() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ClientError, match=f"^http://127.0.0.1:{port} does not answer"):
        Client(f"http://127.0.0.1:{port}").index()
    with pytest.raises(ValueError, match="no address"):
        Client("file:///etc/passwd")


def test_it_sends_its_key(library: Library, address: str) -> None:
    keys = Keys(library.settings.index)
    token = keys.add("test")
    try:
        with pytest.raises(ClientError) as error:
            Client(address).index()
        assert error.value.status == 401
        for _ in range(60):
            assert Client(address, token).index()["counts"]["transcripts"] == 3
        with pytest.raises(ClientError) as error:
            [Client(address, token).index() for _ in range(60)]
        assert (error.value.status, error.value.retry_after) == (429, 1)
    finally:
        keys.file.unlink()
