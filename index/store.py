"""Vectors and the nearest of them: the Store seam, and FAISS behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import faiss

Vectors = NDArray[np.float32]


class Store(Protocol):
    """Vectors by number, searched by inner product."""

    def search(
        self, vector: Vectors, k: int, allowed: Sequence[int] | None, /
    ) -> list[tuple[int, float]]: ...


class FaissStore:
    """Exact search over unit vectors; row n is chunk number n."""

    def __init__(self, index: faiss.Index) -> None:
        self._index = index

    @classmethod
    def from_vectors(cls, vectors: Vectors) -> Self:
        """A store of `vectors`, shape (n, d), float32, of length 1 each."""
        import faiss

        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(np.ascontiguousarray(vectors))
        return cls(index)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` gave. Raises ValueError where it is no FAISS index."""
        import faiss

        try:
            return cls(faiss.deserialize_index(np.frombuffer(data, dtype=np.uint8)))
        except RuntimeError as error:
            raise ValueError("not a FAISS index") from error

    def to_bytes(self) -> bytes:
        import faiss

        return bytes(faiss.serialize_index(self._index).tobytes())

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def vectors(self) -> Vectors:
        """All vectors, shape (n, d), as they were added."""
        return np.asarray(self._index.reconstruct_n(0, len(self)), dtype=np.float32)

    def search(
        self, vector: Vectors, k: int, allowed: Sequence[int] | None, /
    ) -> list[tuple[int, float]]:
        """The k nearest (number, cosine), best first; `allowed` restricts the numbers."""
        import faiss

        if not k:
            return []
        options: dict[str, Any] = {}
        if allowed is not None:
            parameters: Any = faiss.SearchParameters  # its stub knows no arguments
            selector = faiss.IDSelectorBatch(np.asarray(allowed, dtype=np.int64))
            options["params"] = parameters(sel=selector)
        scores, numbers = self._index.search(vector.reshape(1, -1), k, **options)
        return [
            (int(number), float(score))
            for number, score in zip(numbers[0], scores[0], strict=True)
            if number >= 0
        ]
