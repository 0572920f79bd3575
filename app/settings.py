"""One typed settings object: what may be set, its default, and where it comes from.

Each setting is read from the environment as ONRECORD_<NAME>; a command's own options win.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from app.answer import Policy
from index.errors import UsageError

HERE = "http://127.0.0.1:7860"  # where `onrecord serve` is by itself


def _default_index() -> Path:
    from platformdirs import user_data_path

    return user_data_path("onrecord") / "index"


def _default_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("onrecord")


@dataclass(frozen=True, slots=True)
class Settings:
    """What On Record runs with.

    `model` is a sentence-transformers model's name or path; None means the one the index was
    made with (all-MiniLM-L6-v2 for a new one). `url` is where people reach the page: links in
    citations begin with it. `explicit` says the index was named with
    --index: only an index that was not may be made from the seeds on first use.

    `frame_origins` are the origins whose pages may frame what is made to be framed, and
    `cors_origins` those whose pages may call the API from a browser; none means nobody else's.
    """

    index: Path
    cache: Path
    model: str | None = None
    threads: int = 2
    policy: Policy = field(default_factory=Policy)
    url: str = HERE
    explicit: bool = False
    frame_origins: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()

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
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return cls(
            index=index or read("INDEX", Path, _default_index, "a folder"),
            cache=read("CACHE", Path, _default_cache, "a folder"),
            model=read("MODEL", str, None, "a model's name or path"),
            threads=read("THREADS", _positive, min(4, cores or 1), "a whole number from 1"),
            policy=replace(
                policy,
                passages=read("PASSAGES", _positive, policy.passages, "a whole number from 1"),
                quotes=read("QUOTES", _positive, policy.quotes, "a whole number from 1"),
                threshold=read("THRESHOLD", _share, policy.threshold, "a number from 0 to 1"),
            ),
            url=read("URL", _url, HERE, "an address that begins with http:// or https://"),
            explicit=index is not None,
            frame_origins=read("FRAME_ORIGINS", _origins, (), ORIGINS),
            cors_origins=read("CORS_ORIGINS", _origins, (), ORIGINS),
        )


ORIGINS = "origins such as https://wiki.example, with spaces between"


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
