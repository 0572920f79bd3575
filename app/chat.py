"""The chat page: a Gradio face over a Library. It asks, and renders what comes back.

What things look like is in `app.page`. The conversation lives in the page; nothing is kept here.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from app.answer import MAX_QUESTION, Answer
from app.feedback import Rating
from app.page import markup
from app.page.markup import Reference, Summary
from index.errors import OnRecordError
from index.transcript import Transcript

if TYPE_CHECKING:
    import gradio as gr
    from fastapi import FastAPI

PAGE = Path(__file__).parent / "page"
# What the page asks of Gradio. The rest of what Gradio serves (uploads, files, logins, a proxy to
# other servers, an editor of its own source) would be a door that nobody needs.
GRADIO = frozenset(
    "/ /config /theme.css /assets/{path:path} /static/{path:path} /gradio_api/queue/join "
    "/gradio_api/queue/data /gradio_api/run/{api_name} /gradio_api/component_server "
    "/gradio_api/cancel /gradio_api/reset /gradio_api/heartbeat/{session_hash}".split()
)
EXAMPLES = 4
BROKEN = "Something went wrong while looking for an answer. The details are in the server's log."

Message = dict[str, Any]  # of the Chatbot: {"role": ..., "content": ...}

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)


def _while_a_loop_runs(make: Callable[P, T]) -> Callable[P, T]:
    """Call `make` inside an event loop: where none runs, Gradio opens some and closes none."""

    @functools.wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> T:
        async def run() -> T:
            return make(*args, **kwargs)

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(run())
        return make(*args, **kwargs)

    return made


class Library(Protocol):
    """What the page needs: answers, and the transcripts that they quote.

    `history` holds the earlier questions of the conversation, oldest first. OnRecordError is
    shown to the user as it reads; anything else raised is logged and shown as a failure.
    `transcript` raises KeyError for an unknown id. `rate` keeps a rating.
    """

    def ask(self, question: str, history: Sequence[str], /) -> Answer: ...
    def transcripts(self, /) -> Sequence[Summary]: ...
    def transcript(self, id: str, /) -> Transcript: ...
    def examples(self, /) -> Sequence[str]: ...
    def rate(self, rating: Rating, /) -> object: ...


@_while_a_loop_runs
def mount(app: FastAPI, library: Library, path: str = "/", *, root_path: str | None = None) -> None:
    """Serve the chat page at `path`. Other routes must be added first where `path` is "/".

    `root_path` is where a reverse proxy serves the whole app, if not at "/".
    """
    page = create_chat(library)
    import gradio as gr
    from fastapi.responses import FileResponse
    from fastapi.staticfiles import StaticFiles

    static = PAGE / "static"
    app.mount(path.rstrip("/") + "/page", StaticFiles(directory=static))
    # Browsers ask for it before they know of any other icon.
    app.get("/favicon.ico", include_in_schema=False)(lambda: FileResponse(static / "icon.png"))
    gr.mount_gradio_app(
        app,
        page,
        path,
        root_path=root_path,
        theme=gr.themes.Base(font=["system-ui"], font_mono=["ui-monospace"]),
        head=_head(),
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
    )
    _keep_only(GRADIO, app.router.routes[-1].app)  # type: ignore[attr-defined]


@_while_a_loop_runs
def create_chat(library: Library, /) -> gr.Blocks:
    """The page over a library. `mount` serves it with its style; the script is in it already."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    # Nor the summary of all events so far that its queue makes, with pandas, after each.
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1000000000"
    import gradio as gr

    def ask(question: str, messages: list[Message]) -> Iterator[tuple[Any, ...]]:
        question = question.strip()
        if not question:
            yield gr.skip(), gr.skip(), gr.skip(), "Type a question first."
            return
        history = [markup.question_of(_words(m)) for m in messages if m["role"] == "user"]
        messages = [*messages, {"role": "user", "content": markup.question_html(question)}]
        yield messages, "", gr.skip(), "Searching…"
        message, panel, status = _answered(library, question, history)
        messages = [*messages, {"role": "assistant", "content": message}]
        yield messages, "", gr.skip() if panel is None else panel, status

    def show(reference: str) -> str:
        return _shown(library, reference)

    def rate(rating: str) -> str:
        return _rated(library, rating)

    def begin_again() -> tuple[Any, ...]:
        return [], "", _shown(library, ""), ""

    def examples() -> list[gr.Button]:
        questions = [*library.examples()[:EXAMPLES], *[""] * EXAMPLES][:EXAMPLES]
        return [gr.Button(question, visible=bool(question)) for question in questions]

    def refresh() -> tuple[Any, ...]:
        contents = _shown(library, "")
        try:
            count = len(library.transcripts())
            return markup.masthead_html(count), contents, *examples()
        except Exception:
            # The page stays as it was made, and the panel says what is wrong.
            log.exception("cannot bring the page up to date")
            return gr.skip(), contents, *[gr.skip()] * EXAMPLES

    page: gr.Blocks = gr.Blocks(
        title="On Record", analytics_enabled=False, fill_height=True, fill_width=True
    )
    with page:
        masthead = gr.HTML(
            markup.masthead_html(len(library.transcripts())),
            elem_id="masthead",
            apply_default_css=False,
        )
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="talk"):
                chat = gr.Chatbot(
                    elem_id="chat",
                    label="Conversation",
                    show_label=False,
                    container=False,
                    height="100%",
                    layout="panel",
                    buttons=[],
                    feedback_options=None,
                    latex_delimiters=[],
                    allow_tags=False,
                    autoscroll=False,
                    group_consecutive_messages=False,
                    placeholder=markup.WELCOME,
                )
                with gr.Row(elem_id="examples"):
                    chips = examples()
                with gr.Row(elem_id="ask"):
                    question = gr.Textbox(
                        elem_id="question",
                        label="Your question",
                        show_label=False,
                        container=False,
                        placeholder="Ask what was said…",
                        lines=1,
                        max_lines=5,
                        max_length=MAX_QUESTION,
                        autofocus=True,
                        scale=1,
                    )
                    send = gr.Button("Ask", elem_id="send", variant="primary", scale=0)
                with gr.Row(elem_id="below"):
                    status = gr.HTML(
                        elem_id="status",
                        html_template='<p role="status">${value}</p>',
                        apply_default_css=False,
                    )
                    gr.HTML(markup.KEEP_RATINGS, elem_id="ratings", apply_default_css=False)
                    fresh = gr.Button("New conversation", elem_id="fresh", size="sm", scale=0)
            with gr.Column(elem_id="record"):
                panel = gr.HTML(
                    _shown(library, ""),
                    html_template=(PAGE / "panel.html").read_text("utf-8"),
                    js_on_load=(PAGE / "page.js").read_text("utf-8"),
                    server_functions=[show, rate],
                    apply_default_css=False,
                )
        outputs = [chat, question, panel, status]
        quiet: Any = {"show_progress": "hidden", "api_visibility": "private"}
        asked = [
            gr.on([question.submit, send.click], ask, [question, chat], outputs, **quiet),
            *(chip.click(ask, [chip, chat], outputs, **quiet) for chip in chips),
        ]
        fresh.click(begin_again, None, outputs, cancels=asked, queue=False, **quiet)
        page.load(refresh, None, [masthead, panel, *chips], queue=False, **quiet)
    page.queue(default_concurrency_limit=4, max_size=64, api_open=False)
    return page


def _answered(
    library: Library, question: str, history: Sequence[str]
) -> tuple[str, str | None, str]:
    """The message, what the panel shows beside it (None: what it shows now), and the status."""
    try:
        answer = library.ask(question, history)
        quoted = {quote.source.id for quote in answer.quotes or answer.nearest}
        transcripts = {name: library.transcript(name) for name in quoted}
    except OnRecordError as error:
        return markup.failure_html(str(error)), None, "That did not work"
    except Exception:
        log.exception("a question failed")
        return markup.failure_html(BROKEN), None, "Something went wrong"
    message = markup.answer_html(answer, transcripts)
    references = markup.quote_references(answer)
    if not references:
        return message, None, markup.status_text(answer)
    first = references[0]
    panel = markup.transcript_html(transcripts[first.transcript_id], first)
    return message, panel, markup.status_text(answer)


def _shown(library: Library, reference: str) -> str:
    """The panel for a citation's reference; for an empty one, the list of transcripts.

    Where there is but one transcript, it stands in for the list.
    """
    try:
        if not reference:
            summaries = library.transcripts()
            if len(summaries) != 1:
                return markup.contents_html(summaries)
            reference = str(Reference(summaries[0].id))
        parsed = Reference.parse(reference)
        return markup.transcript_html(library.transcript(parsed.transcript_id), parsed)
    except OnRecordError as error:
        return markup.problem_html(str(error))
    except KeyError:
        return markup.problem_html("It is no longer in the index.")
    except Exception:
        log.exception("cannot show %r", reference)
        return markup.problem_html("Something went wrong. The details are in the server's log.")


def _rated(library: Library, rating: str) -> str:
    """Keep a rating as the page's script sends it; what is said of that."""
    try:
        sent = json.loads(rating)
        rated = markup.Rated.parse(sent["rated"])
        library.rate(
            Rating(
                rated.question,
                sent["verdict"],
                str(sent["correction"]),
                bool(sent["nobody"]),
                rated.quotes,
                rated.nearest,
            )
        )
    except OnRecordError as error:
        return f"Not kept: {error}"
    except Exception:
        log.exception("a rating failed")
        return "Not kept: something went wrong. The details are in the server's log."
    return "Kept on this machine. Thank you."


def _keep_only(paths: Collection[str], router: Any) -> None:
    """Take every other route out of a router, and out of those that it includes."""
    for route in router.routes:
        if hasattr(route, "original_router"):
            _keep_only(paths, route.original_router)
    router.routes[:] = [
        route
        for route in router.routes
        if hasattr(route, "original_router") or (route.path.rstrip("/") or "/") in paths
    ]


def _head() -> str:
    style = (PAGE / "style.css").read_text("utf-8")
    icon = '<link rel="icon" type="image/svg+xml" href="page/icon.svg">'
    return f"{icon}<style>{style}</style>"


def _words(message: Message) -> str:
    """The text of a message as the Chatbot hands it over."""
    return "".join(part["text"] for part in message["content"] if part["type"] == "text")
