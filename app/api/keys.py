"""API keys: made, listed and revoked with `onrecord keys`, and looked up at the door.

They are kept in `keys.json` inside the index folder, which only its owner may read, as SHA-256
hashes. A slow hash would protect a secret that can be guessed; these are 256 random bits, and a
slow hash at every request would only serve those who flood the server.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout

from index.errors import IndexFolderError, UsageError

FILE = "keys.json"
FORMAT = 1
PREFIX = "onrecord_"
WAIT = 5.0  # seconds for another process to finish its own change


@dataclass(frozen=True, slots=True)
class Key:
    """Who a key is for, and its hash; times are in UTC, as ISO 8601."""

    name: str
    sha256: str
    created: str
    expires: str | None = None

    def has_expired(self, now: datetime) -> bool:
        return self.expires is not None and datetime.fromisoformat(self.expires) <= now


class Keys:
    """The keys of one index folder. What another process changes counts at once."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE
        self._seen: tuple[tuple[int, int], tuple[Key, ...]] | None = None

    def exist(self) -> bool:
        """Whether any was ever made; after the last is revoked, nobody gets in by a key."""
        return self.file.exists()

    def all(self) -> tuple[Key, ...]:
        """Raises IndexFolderError where they cannot be read."""
        try:
            status = self.file.stat()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._unreadable(error) from error
        stamp = status.st_mtime_ns, status.st_ino
        if self._seen is None or self._seen[0] != stamp:
            self._seen = stamp, self._read()
        return self._seen[1]

    def find(self, token: str) -> Key | None:
        """The key that a token is, unless it has expired."""
        digest, found = _sha256(token), None
        for key in self.all():
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return None if found is None or found.has_expired(datetime.now(UTC)) else found

    def add(self, name: str, lasting: timedelta | None = None) -> str:
        """Make a key; returns its token, which stands nowhere else.

        Raises UsageError for a name that is taken or none, IndexFolderError where the file
        cannot be written.
        """
        if not re.fullmatch(r"[\w.@-]{1,64}", name):
            raise UsageError(
                f"{name!r} cannot name a key; use up to 64 letters, digits, and . _ @ - only."
            )
        now = datetime.now(UTC).replace(microsecond=0)
        try:
            expires = None if lasting is None else (now + lasting).isoformat()
        except OverflowError:
            raise UsageError("no key can be good for so long; leave --expires out.") from None
        token = PREFIX + secrets.token_urlsafe(32)
        with self._changing():
            keys = self.all()
            if any(key.name == name for key in keys):
                raise UsageError(f"there is a key {name!r} already; revoke it first.")
            self._write([*keys, Key(name, _sha256(token), now.isoformat(), expires)])
        return token

    def revoke(self, name: str) -> None:
        """Raises UsageError where there is none of that name."""
        with self._changing():
            keys = self.all()
            left = [key for key in keys if key.name != name]
            if len(left) == len(keys):
                known = ", ".join(key.name for key in keys) or "none"
                raise UsageError(f"there is no key {name!r}; there is {known}.")
            self._write(left)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """The right to change the file, for one process at a time."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(f"{self.file}.lock", timeout=WAIT)
            lock.acquire()
        except (OSError, Timeout) as error:
            raise self._unwritable(error) from error
        try:
            yield
        finally:
            lock.release()

    def _write(self, keys: list[Key]) -> None:
        new = self.file.with_suffix(".new")
        text = json.dumps({"format": FORMAT, "keys": [asdict(key) for key in keys]}, indent=1)
        try:
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(descriptor)
            new.replace(self.file)
        except OSError as error:
            raise self._unwritable(error) from error

    def _read(self) -> tuple[Key, ...]:
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
            if found["format"] != FORMAT:
                raise ValueError("it is of another version")
            keys = tuple(Key(**key) for key in found["keys"])
            for key in keys:
                key.has_expired(datetime.now(UTC))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._unreadable(error) from error
        return keys

    def _unreadable(self, error: Exception) -> IndexFolderError:
        return IndexFolderError(
            f"{self.file}: the keys cannot be read ({error}); nobody gets in until it is mended. "
            "Delete it and make them again with `onrecord keys add`."
        )

    def _unwritable(self, error: Exception) -> IndexFolderError:
        return IndexFolderError(
            f"{self.file}: the keys cannot be written ({error}). Make the folder writable."
        )


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
