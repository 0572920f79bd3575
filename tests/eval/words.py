"""The command as it is typed."""

from __future__ import annotations

import argparse
from pathlib import Path

from eval.command import add_arguments, execute


def parse(*words: object) -> argparse.Namespace:
    """As `app.cli` does: it gives every command --index, and then the command its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--index", type=Path)
    add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def onrecord_eval(*words: object) -> int:
    """The exit code."""
    return execute(parse(*words))
