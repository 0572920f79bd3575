"""Settings: where each comes from, and what is said of a value that cannot be read."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from app.answer import Policy
from app.settings import Settings
from index.errors import UsageError


def test_without_anything_set_the_users_folders_are_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    settings = Settings.from_environment(environment={})
    assert settings.index == tmp_path / "data" / "onrecord" / "index"
    assert settings.model is None
    assert 1 <= settings.threads <= 4
    assert settings.policy == Policy()
    assert not settings.explicit


def test_every_variable_is_read() -> None:
    settings = Settings.from_environment(
        environment={
            "ONRECORD_INDEX": "/a/index",
            "ONRECORD_MODEL": "some/model",
            "ONRECORD_THREADS": "3",
            "ONRECORD_PASSAGES": "12",
            "ONRECORD_QUOTES": "5",
            "ONRECORD_THRESHOLD": "0.25",
            "ONRECORD_FRAME_ORIGINS": "https://Wiki.example  http://localhost:8080",
            "ONRECORD_CORS_ORIGINS": "https://[2001:db8::1]:8443",
            "ONRECORD_USER_HEADER": "X-Remote-User",
            "ONRECORD_PROXIES": "10.0.0.0/24 2001:db8::5",
            "ONRECORD_RATE": "120",
            "ONRECORD_WORKERS": "4",
            "ONRECORD_WAITING": "9",
        }
    )
    assert settings == Settings(
        index=Path("/a/index"),
        model="some/model",
        threads=3,
        policy=Policy(passages=12, quotes=5, threshold=0.25),
        explicit=False,
        frame_origins=("https://wiki.example", "http://localhost:8080"),
        cors_origins=("https://[2001:db8::1]:8443",),
        user_header="x-remote-user",
        proxies=(ip_network("10.0.0.0/24"), ip_network("2001:db8::5/128")),
        rate=120,
        workers=4,
        waiting=9,
    )


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONRECORD_QUOTES", "7")
    assert Settings.from_environment().policy.quotes == 7


def test_the_option_wins_over_the_variable_and_is_explicit() -> None:
    environment = {"ONRECORD_INDEX": "/a/index"}
    settings = Settings.from_environment(index=Path("other"), environment=environment)
    assert settings.index == Path("other")
    assert settings.explicit
    assert not Settings.from_environment(environment=environment).explicit


def test_an_empty_variable_is_as_none() -> None:
    names = (
        "INDEX MODEL THREADS PASSAGES QUOTES THRESHOLD FRAME_ORIGINS CORS_ORIGINS "
        "USER_HEADER PROXIES RATE WORKERS WAITING"
    ).split()
    empty = Settings.from_environment(environment={f"ONRECORD_{name}": "" for name in names})
    assert empty == Settings.from_environment(environment={})


@pytest.mark.parametrize("name", ["THREADS", "PASSAGES", "QUOTES", "RATE", "WORKERS", "WAITING"])
@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", " ", "1e3", "0x2"])
def test_a_number_from_one(name: str, value: str) -> None:
    with pytest.raises(UsageError) as error:
        Settings.from_environment(environment={f"ONRECORD_{name}": value})
    assert str(error.value) == f"ONRECORD_{name} is {value!r}; it takes a whole number from 1."


@pytest.mark.parametrize("value", ["-0.1", "1.01", "half", "nan", "inf", "50%", "0,5"])
def test_a_share(value: str) -> None:
    with pytest.raises(UsageError) as error:
        Settings.from_environment(environment={"ONRECORD_THRESHOLD": value})
    assert str(error.value) == f"ONRECORD_THRESHOLD is {value!r}; it takes a number from 0 to 1."


@pytest.mark.parametrize(("value", "threshold"), [("0", 0.0), ("1", 1.0), (".5", 0.5)])
def test_the_ends_of_a_share_are_in_it(value: str, threshold: float) -> None:
    settings = Settings.from_environment(environment={"ONRECORD_THRESHOLD": value})
    assert settings.policy.threshold == threshold


@pytest.mark.parametrize("name", ["FRAME_ORIGINS", "CORS_ORIGINS"])
@pytest.mark.parametrize(
    "value",
    ["*", "wiki.example", "https://*.example", "https://wiki.example/page", "null", "'self'",
     "https://wiki.example;", "https://wiki.example, https://other.example", "ftp://x"],
)  # fmt: skip
def test_only_whole_origins_are_listed(name: str, value: str) -> None:
    with pytest.raises(UsageError, match="it takes origins such as https://wiki"):
        Settings.from_environment(environment={f"ONRECORD_{name}": value})


@pytest.mark.parametrize("value", ["proxy.example", "10.0.0.1/8", "10.0.0.1,10.0.0.2", "0.0.0.0/0"])
def test_only_addresses_are_proxies(value: str) -> None:
    environment = {"ONRECORD_USER_HEADER": "X-User", "ONRECORD_PROXIES": value}
    with pytest.raises(UsageError, match="it takes addresses or networks, with spaces between"):
        Settings.from_environment(environment=environment)


@pytest.mark.parametrize("name", ["USER_HEADER", "PROXIES"])
def test_a_user_header_and_its_proxies_go_together(name: str) -> None:
    value = {"USER_HEADER": "X-User", "PROXIES": "10.0.0.1"}[name]
    with pytest.raises(UsageError, match="ONRECORD_USER_HEADER and ONRECORD_PROXIES go together"):
        Settings.from_environment(environment={f"ONRECORD_{name}": value})
