"""The documents tell the truth: what the code has stands in them, and what they name exists."""

from __future__ import annotations

import argparse
import inspect
import re
from pathlib import Path

import pytest

from app import settings
from app.cli import _parser

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every sub-command of `onrecord` with its parser."""
    (subparsers,) = (
        action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return dict(subparsers.choices)


def test_the_contracts_commands_are_there() -> None:
    assert set(commands()) == {"index", "ask", "check", "serve", "eval"}


@pytest.mark.parametrize("name", ["index", "ask", "check", "serve", "eval"])
def test_every_command_stands_in_the_readme(name: str) -> None:
    assert f"`onrecord {name}" in README


def test_every_option_stands_in_the_readme_or_eval_readme() -> None:
    documents = README + (ROOT / "eval" / "README.md").read_text(encoding="utf-8")
    for name, parser in commands().items():
        for action in parser._actions:
            for option in action.option_strings:
                if option not in ("-h", "--help"):
                    assert option in documents, f"onrecord {name} {option}"


def test_every_setting_stands_in_the_readme() -> None:
    names = re.findall(r'read\(\s*"([A-Z]+)"', inspect.getsource(settings))
    assert len(names) >= 7
    for name in names:
        assert f"`ONRECORD_{name}`" in README


def test_the_readmes_make_targets_exist() -> None:
    targets = set(re.findall(r"(?:^|`)make (\w+)", README, re.MULTILINE))
    assert {"chat", "test", "setup", "check", "bench"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


@pytest.mark.parametrize(
    "document", ["README.md", "eval/README.md", "seeds/README.md", "app/reader/model/README.md"]
)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target, heading in re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", text):
        if "://" not in target:
            found = (ROOT / document).parent / target
            assert found.exists(), target
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE) if heading else []
            assert not heading or heading in [h.lower().replace(" ", "-") for h in headings]
