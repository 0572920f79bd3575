"""A client of On Record's HTTP API, in one file that needs nothing but Python: copy it anywhere.

client = Client("http://127.0.0.1:7860")
for quote in client.ask("Why was Amnesty banned?")["quotes"]:
    print(quote["text"], client.link(quote))
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Any, Literal, TypedDict, cast
from urllib.error import HTTPError
from urllib.parse import quote as escaped
from urllib.parse import urlencode
from urllib.request import Request, urlopen

JSON = "application/json"
JSON_LINES = "application/x-ndjson"


class Source(TypedDict):
    """The transcript version that is cited."""

    id: str
    title: str
    sha256: str
    date: str | None


class Span(TypedDict):
    start: int
    end: int
    text: str


class Speaker(TypedDict):
    name: str
    basis: Literal["label", "cue", "narration", "filename"]


class Quote(TypedDict):
    """Verbatim words: `text` is the transcript's characters from `start` to `end`, `answer` the
    words among them that answer.
    """

    id: str
    n: int
    transcript: Source
    start: int
    end: int
    text: str
    answer: Span
    speaker: Speaker | None
    said_at: list[float] | None
    prefix: str
    suffix: str
    score: float
    url: str


class Searched(TypedDict):
    transcripts: int
    segments: int


class Answer(TypedDict):
    """Where nothing answers, `quotes` is empty, and `nearest` has what does not answer."""

    question: str
    resolved_question: str
    answerable: bool
    confidence: float
    quotes: list[Quote]
    nearest: list[Quote]
    searched: Searched
    seconds: float


class Verified(TypedDict):
    claim: str
    verdict: Literal["exact", "altered", "other_speaker", "not_found"]
    quotes: list[Quote]
    diff: list[tuple[Literal["equal", "insert", "delete", "replace"], str, str]]


class Summary(TypedDict):
    """A transcript without its text."""

    id: str
    title: str
    date: str | None
    sha256: str
    characters: int
    segments: int


class Transcript(Summary):
    language: str | None
    text: str


class Segment(TypedDict):
    start: int
    end: int
    kind: Literal["speech", "narration", "heading"]
    speaker: Speaker | None
    said_at: list[float] | None
    text: str


class Model(TypedDict):
    name: str
    sha256: str


class Index(TypedDict):
    version: str
    on_record: str
    built_at: str
    counts: dict[str, int]
    models: dict[str, Model]


class Kept(TypedDict):
    id: str
    at: str


class ClientError(Exception):
    """What the server says is wrong, in a sentence. `status` is 0 where it does not answer;
    `retry_after` is in seconds, where it says that later may be better.
    """

    def __init__(self, detail: str, status: int = 0, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.retry_after = retry_after


class Client:
    """Calls the server at `base`, with an API key if it asks for one; `timeout` is in seconds.

    Every method raises ClientError.
    """

    def __init__(self, base: str, key: str | None = None, *, timeout: float = 60.0) -> None:
        if not base.startswith(("http://", "https://")):
            raise ValueError(f"{base!r} is no address; it begins with http:// or https://")
        self._base = base.rstrip("/")
        self._key = key
        self._timeout = timeout

    def ask(
        self,
        question: str,
        history: Sequence[str] = (),
        *,
        transcript: str | None = None,
        speaker: str | None = None,
        k: int | None = None,
    ) -> Answer:
        """Quotes that answer; `history` holds the conversation's earlier questions."""
        limits = {"transcript": transcript, "speaker": speaker, "k": k}
        body = {"question": question, "history": [*history], **_given(limits)}
        return cast(Answer, self._post("ask", body))

    def verify(self, claim: str, *, speaker: str | None = None) -> Verified:
        """Whether these words stand in the record, said by `speaker` if one is named."""
        return cast(
            Verified, self._post("verify", {"claim": claim, **_given({"speaker": speaker})})
        )

    def batch(
        self, requests: Iterable[dict[str, Any]], *, k: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """An answer for each request (id, question[, history, transcript, speaker]), as it is
        made: an Answer with the id, or {"id", "error"}.
        """
        lines = "".join(json.dumps(request) + "\n" for request in requests)
        query = f"?{urlencode({'k': k})}" if k else ""
        with self._open(f"batch{query}", lines.encode(), JSON_LINES) as response:
            for line in response:
                yield json.loads(line)

    def transcripts(self) -> list[Summary]:
        return cast(list[Summary], self._get("transcripts")["transcripts"])

    def transcript(self, id: str) -> Transcript:
        return cast(Transcript, self._get(f"transcripts/{escaped(id, safe='')}"))

    def segments(self, id: str, *, page: int = 500) -> Iterator[Segment]:
        """All segments of a transcript, in order; asked for `page` at a time."""
        offset = 0
        while True:
            query = urlencode({"offset": offset, "limit": page})
            got = self._get(f"transcripts/{escaped(id, safe='')}/segments?{query}")
            yield from got["segments"]
            offset += page
            if offset >= got["total"]:
                return

    def index(self) -> Index:
        return cast(Index, self._get("index"))

    def feedback(
        self,
        answer: Answer,
        verdict: Literal["right", "wrong"],
        *,
        correction: str = "",
        nobody: bool = False,
    ) -> Kept:
        """Say of an answer whether it is right; if not, which words would be, or that nobody says
        it.
        """
        body = {
            "question": answer["question"],
            "verdict": verdict,
            "correction": correction,
            "nobody": nobody,
            "quotes": [quote["id"] for quote in answer["quotes"]],
            "nearest": [quote["id"] for quote in answer["nearest"]],
        }
        return cast(Kept, self._post("feedback", body))

    def link(self, quote: Quote) -> str:
        """The permanent page of a quote."""
        return self._base + quote["url"]

    def _get(self, path: str) -> dict[str, Any]:
        return self._read(path)

    def _post(self, path: str, body: object) -> dict[str, Any]:
        return self._read(path, json.dumps(body).encode())

    def _read(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        with self._open(path, body, JSON) as response:
            return cast(dict[str, Any], json.load(response))

    @contextmanager
    def _open(self, path: str, body: bytes | None, media_type: str) -> Iterator[HTTPResponse]:
        headers = {"Accept": media_type, "Content-Type": media_type}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = Request(f"{self._base}/api/v1/{path}", body, headers)  # noqa: S310 - see __init__
        try:
            with urlopen(request, timeout=self._timeout) as response:  # noqa: S310
                yield response
        except HTTPError as error:
            with error:
                raise _refused(error) from None
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise ClientError(f"{self._base} does not answer ({reason}).") from None
        except ValueError:
            raise ClientError(f"{self._base} does not speak like On Record.") from None


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _refused(error: HTTPError) -> ClientError:
    after = error.headers.get("Retry-After", "")
    try:
        detail = str(json.load(error)["detail"])
    except (ValueError, TypeError, KeyError):  # it comes from something in between
        detail = f"The server answered {error.code} {error.reason}."
    return ClientError(detail, error.code, int(after) if after.isdecimal() else None)
