"""The documents tell the truth: what the code has stands in them, and what they name exists."""

from __future__ import annotations

import argparse
import inspect
import re
from pathlib import Path

import pytest

from app import settings
from app.cite import FORMS
from app.cli import _parser

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
EVAL_README = (ROOT / "eval" / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def commands(parser: argparse.ArgumentParser, name: str = "") -> dict[str, argparse.ArgumentParser]:
    """Every sub-command of a parser with its own, those of sub-commands too: "eval run"."""
    found = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, its in action.choices.items():
                whole = f"{name} {word}".strip()
                found |= {whole: its} | commands(its, whole)
    return found


COMMANDS = commands(_parser())


def test_the_contracts_commands_are_there() -> None:
    assert {name for name in COMMANDS if " " not in name} == {
        "index",
        "ask",
        "verify",
        "cite",
        "check",
        "serve",
        "keys",
        "doctor",
        "eval",
    }


def test_the_tests_that_security_names_exist() -> None:
    document = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    names = set(re.findall(r"`(test_\w+)`", document))
    assert len(names) >= 25
    written = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("*.py"))
    for name in names:
        assert f"def {name}(" in written, name
    for file in re.findall(r"`(tests/[\w/.]+\.py)`", document):
        assert (ROOT / file).exists(), file


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_in_its_readme(name: str) -> None:
    document = EVAL_README if name.startswith("eval ") else README
    assert re.search(rf"^onrecord {name}\b|`onrecord {name}\b", document, re.MULTILINE)


def test_every_option_stands_in_the_readme_or_eval_readme() -> None:
    documents = README + EVAL_README
    for name, parser in COMMANDS.items():
        for action in parser._actions:
            for option in action.option_strings:
                if option not in ("-h", "--help"):
                    assert option in documents, f"onrecord {name} {option}"


def test_every_setting_stands_in_the_readme() -> None:
    names = re.findall(r'read\(\s*"([A-Z_]+)"', inspect.getsource(settings))
    assert len(names) >= 14
    for name in names:
        assert f"`ONRECORD_{name}`" in README


def test_the_readmes_make_targets_exist() -> None:
    targets = set(re.findall(r"(?:^|`)make (\w+)", README, re.MULTILINE))
    assert {"chat", "test", "setup", "check", "bench"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


def test_every_form_of_a_quote_stands_in_the_wikis_recipes() -> None:
    recipes = (ROOT / "docs" / "wiki.md").read_text(encoding="utf-8")
    for name, form in FORMS.items():
        assert f"| `{form.suffix}` |" in recipes, name


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "docs/api.md",
        "docs/running.md",
        "docs/security.md",
        "docs/wiki.md",
        "eval/README.md",
        "seeds/README.md",
        "app/reader/model/README.md",
    ],
)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target, heading in re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", text):
        if "://" not in target:
            found = (ROOT / document).parent / target
            assert found.exists(), target
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE) if heading else []
            assert not heading or heading in [h.lower().replace(" ", "-") for h in headings]
