"""`onrecord doctor`: a sound installation is well, and each thing that is wrong is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from app import doctor
from app.api.keys import Keys
from app.cli import main
from app.doctor import CHECKS, Finding, examine
from app.serve import listen
from index.errors import OnRecordError
from tests.app.conftest import serving
from tests.fixtures.shelf import Shelf

pytestmark = pytest.mark.usefixtures("fakes", "roomy")


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No matter how full this machine is, and without the models."""
    monkeypatch.setattr(doctor, "MEMORY", 1)
    monkeypatch.setattr(doctor, "DISK", 1)
    monkeypatch.setattr(doctor.OnnxEmbedder, "open", lambda threads: None)
    monkeypatch.setattr(doctor, "open_reader", lambda threads: None)


@pytest.fixture
def port() -> int:
    with closing(listen("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def wrong(own: Shelf, port: int) -> Callable[..., dict[str, str]]:
    """What is told to be wrong, by check."""

    def found(**environment: str) -> dict[str, str]:
        findings = [*examine(own.index, port, environment)]
        return {finding.check: finding.detail for finding in findings if not finding.ok}

    return found


def test_a_sound_installation_is_well(
    own: Shelf, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--index", str(own.index), "--port", str(port)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [
        ["ok", name] for name in ("settings", *CHECKS)
    ]
    assert lines[-1] == "All is well. `onrecord check` proves every stored offset and hash."


def test_what_is_wrong_is_said_in_json_too(
    own: Shelf, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (own.index / "manifest.json").write_text("{")
    assert main(["doctor", "--json", "--index", str(own.index), "--port", str(port)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    bad = [check["check"] for check in told["checks"] if not check["ok"]]
    assert bad == ["index", "vectors", "models"]


def test_settings_that_cannot_be_read_are_told(own: Shelf, port: int) -> None:
    for environment, told in (
        ({"ONRECORD_RATE": "often"}, "ONRECORD_RATE is 'often'; it takes a whole number from 1."),
        ({"ONRECORD_TRESHOLD": "1"}, "ONRECORD_TRESHOLD: there is no such setting; the README "
         "lists those that there are."),
    ):  # fmt: skip
        assert [*examine(own.index, port, environment)] == [Finding("settings", False, told)]


def test_a_flipped_byte_is_found(wrong: Callable[..., dict[str, str]], own: Shelf) -> None:
    (file,) = own.index.glob("v-*/vectors.faiss")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    told = "vectors.faiss is not as it was written; run `onrecord index` to make it again."
    assert wrong() == {"vectors": told}


def test_no_index_is_no_fault_where_it_is_made_on_first_use(port: int, tmp_path: Path) -> None:
    environment = {"ONRECORD_INDEX": str(tmp_path / "none")}
    findings = [*examine(None, port, environment)]
    assert all(finding.ok for finding in findings), findings
    assert "made from the seeds on first use" in findings[3].detail
    named = {f.check: f.ok for f in examine(tmp_path / "none", port, environment)}
    assert not named["index"]


def test_a_package_of_another_version_is_told(
    wrong: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    version = metadata.version

    def other(name: str) -> str:
        if name == "gradio":
            return "5.0.0"
        if name == "jinja2":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", other)
    told = wrong()["packages"]
    assert "gradio is 5.0.0, not <7,>=6.31" in told
    assert "gradio is 5.0.0, not ==6.31.0" in told
    assert "jinja2 is missing" in told


@pytest.mark.parametrize("model", ["retriever", "reader"])
def test_weights_that_are_not_the_originals_are_told(
    wrong: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    def damaged(threads: int) -> Any:
        raise OnRecordError("these are not the weights.")

    if model == "reader":
        monkeypatch.setattr(doctor, "open_reader", damaged)
    else:
        monkeypatch.setattr(doctor.OnnxEmbedder, "open", damaged)
    assert wrong() == {"weights": "these are not the weights."}


def test_keys_that_others_can_read_are_told(
    wrong: Callable[..., dict[str, str]], own: Shelf
) -> None:
    keys = Keys(own.index)
    keys.add("wiki")
    assert wrong() == {}
    keys.file.chmod(0o644)
    assert wrong() == {"keys": f"{keys.file} can be read by others (644); run "
                               f"`chmod 600 {keys.file}`."}  # fmt: skip


def test_a_taken_port_is_told_unless_on_record_has_it(
    own: Shelf, settings_for: Callable[..., Any]
) -> None:
    from app.assemble import Library

    with closing(listen("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (finding,) = [f for f in examine(own.index, port, {}) if f.check == "port"]
    assert (finding.ok, finding.detail) == (
        False, f"port {port} is taken; give another one with --port, or 0 for any.",
    )  # fmt: skip
    with serving(Library.open(settings_for(own.index))) as address:
        port = int(address.rsplit(":", 1)[1])
        (finding,) = [f for f in examine(own.index, port, {}) if f.check == "port"]
    assert (finding.ok, finding.detail) == (True, f"On Record answers at port {port}")


def test_too_little_room_is_told(
    wrong: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "MEMORY", 10**9)
    monkeypatch.setattr(doctor, "DISK", 10**9)
    told = wrong()
    assert told.keys() == {"memory", "disk"}
    assert told["memory"].endswith("stop something else.")
    assert told["disk"].endswith("free some.")
