"""Desk: so many questions are answered at a time, so many may wait, and no more.

Answering takes the processor, not the network. A longer line would only make everybody wait
longer than they will.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from index.errors import OnRecordError

T = TypeVar("T")

RETRY = 2  # seconds until a place may be free
PATIENCE = 0.1  # seconds between two tries of one who waits outside


class BusyError(OnRecordError):
    """Every place is taken."""

    def __init__(self) -> None:
        super().__init__("Too many questions are being answered at the moment; ask again soon.")


class Desk:
    """`workers` calls run at a time, `waiting` more wait for it. Shared between threads."""

    def __init__(self, workers: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="answering")
        self._places = threading.BoundedSemaphore(workers + waiting)

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Have it called. Raises BusyError where there is no place."""
        if not self._places.acquire(blocking=False):
            raise BusyError
        future = self._pool.submit(call)
        future.add_done_callback(lambda _: self._places.release())
        return future

    async def run(self, call: Callable[[], T]) -> T:
        """What the call gives. Raises BusyError where there is no place.

        Where nobody waits for it any more, it is not begun.
        """
        return await asyncio.wrap_future(self.submit(call))

    async def run_when_free(self, call: Callable[[], T]) -> T:
        """The same for one who can wait: whoever comes meanwhile may be served first."""
        while True:
            try:
                return await self.run(call)
            except BusyError:
                await asyncio.sleep(PATIENCE)
