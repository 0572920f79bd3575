"""One typed settings object: what may be set, its default, and where it comes from.

Each setting is read from the environment as ONRECORD_<NAME>; a command's own options win.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Self

from app.answer import Policy
from index.errors import UsageError

HERE = "http://127.0.0.1:7860"  # where `onrecord serve` is, unless it is told otherwise

Network = IPv4Network | IPv6Network


def _default_index() -> Path:
    from platformdirs import user_data_path

    return user_data_path("onrecord") / "index"


@dataclass(frozen=True, slots=True)
class Settings:
    """What On Record runs with.

    `model` is a sentence-transformers model's name or path; None means the one the index was
    made with (ours for a new one). `url` is where people reach the page, if that
    was said, else empty: links in citations begin with it. `explicit` says the index was named with
    --index: only an index that was not may be made from the seeds on first use.

    `frame_origins` are the origins whose pages may frame what is made to be framed, and
    `cors_origins` those whose pages may call the API from a browser; none means nobody else's.
    `user_header` is the header in which a reverse proxy at one of `proxies` names the user who
    logged in there. `rate` is how many requests a minute an API key is good for. `workers`
    questions are answered at a time, and `waiting` more may wait for it.
    """

    index: Path
    model: str | None = None
    threads: int = 2
    policy: Policy = field(default_factory=Policy)
    url: str = ""
    explicit: bool = False
    frame_origins: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    user_header: str | None = None
    proxies: tuple[Network, ...] = ()
    rate: int = 60
    workers: int = 2
    waiting: int = 6

    @classmethod
    def from_environment(
        cls, *, index: Path | None = None, environment: Mapping[str, str] = os.environ
    ) -> Self:
        """The settings of the environment; `index` is what --index says, if anything.

        Raises UsageError where a value cannot be read.
        """

        def read(name: str, kind: Callable[[str], Any], default: Any, allowed: str) -> Any:
            value = environment.get(f"ONRECORD_{name}", "")
            if not value:
                return default() if callable(default) else default
            try:
                return kind(value)
            except ValueError:
                raise UsageError(f"ONRECORD_{name} is {value!r}; it takes {allowed}.") from None

        policy = Policy()
        cores = _cores()
        workers = read("WORKERS", _positive, cores, "a whole number from 1")
        named = read("INDEX", Path, _default_index, "a folder")
        made = cls(
            index=index or named,
            model=read("MODEL", str, None, "a model's name or path"),
            threads=read("THREADS", _positive, min(4, cores), "a whole number from 1"),
            policy=replace(
                policy,
                passages=read("PASSAGES", _positive, policy.passages, "a whole number from 1"),
                quotes=read("QUOTES", _positive, policy.quotes, "a whole number from 1"),
                threshold=read("THRESHOLD", _share, policy.threshold, "a number from 0 to 1"),
            ),
            url=read("URL", _url, "", "an address that begins with http:// or https://"),
            explicit=index is not None,
            frame_origins=read("FRAME_ORIGINS", _origins, (), ORIGINS),
            cors_origins=read("CORS_ORIGINS", _origins, (), ORIGINS),
            user_header=read("USER_HEADER", _header, None, "the name of a header"),
            proxies=read("PROXIES", _networks, (), "addresses or networks, with spaces between"),
            rate=read("RATE", _positive, 60, "a whole number from 1"),
            workers=workers,
            waiting=read("WAITING", _positive, 3 * workers, "a whole number from 1"),
        )
        if bool(made.user_header) != bool(made.proxies):
            raise UsageError(
                "ONRECORD_USER_HEADER and ONRECORD_PROXIES go together: the header counts only "
                "where a listed proxy sends it. Set both, or neither."
            )
        return made


ORIGINS = "origins such as https://wiki.example, with spaces between"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _positive(value: str) -> int:
    number = int(value)
    if number < 1:
        raise ValueError(value)
    return number


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s<>\"]+", value):
        raise ValueError(value)
    return value


def _share(value: str) -> float:
    number = float(value)
    if not 0 <= number <= 1:
        raise ValueError(value)
    return number


def _origins(value: str) -> tuple[str, ...]:
    """Whole origins only: one goes into a header as it stands, and "*" would be everybody."""
    origins = tuple(value.lower().split())
    for origin in origins:
        if not re.fullmatch(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?", origin):
            raise ValueError(value)
    return origins


def _header(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", value):
        raise ValueError(value)
    return value.lower()


def _networks(value: str) -> tuple[Network, ...]:
    networks = tuple(ip_network(word) for word in value.split())
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError(value)  # everybody is no proxy
    return networks
