"""The errors a user can mend. Each message is one sentence: what was wrong and what to do.

They are translated once at each edge: a line and an exit code in the command line,
a sentence in the chat. Anything else that is raised is a bug and may show a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


class OnRecordError(Exception):
    """Something failed that the user can mend; the message says how."""


class UsageError(OnRecordError):
    """The request itself was wrong (an empty question, an unknown speaker)."""


class TranscriptError(OnRecordError):
    """A transcript file cannot be read."""


class IndexFolderError(OnRecordError):
    """An index folder is missing, damaged, locked, or was made for something else."""


class DamagedIndexError(IndexFolderError):
    """A part of an index is missing or cut short; indexing again mends it."""


def or_exit(main: Callable[[], None]) -> None:
    """Run a program of its own (`python -m ...`); what the user can mend ends it in a sentence."""
    try:
        main()
    except OnRecordError as error:
        sys.exit(str(error))
