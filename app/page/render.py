"""The pages that are not Gradio's, from templates. All that varies is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.page.markup import clock, duration

if TYPE_CHECKING:
    from jinja2 import Environment

THEMES = ("auto", "light", "dark")


def render(template: str, **values: Any) -> str:
    """The HTML of a template. `root` is the relative way from the page to the chat page."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clock": clock, "duration": duration}
    environment.globals["known_by"] = {
        "narration": "per the report",
        "filename": "per the file name",
    }
    return environment
