"""What the chat page shows, as text: answers, refusals and transcripts as HTML.

What it does in a browser is in tests/browser.
"""

from __future__ import annotations

import html
import string
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.answer import Answer, Quote, Source
from app.page import markup
from app.page.markup import Mark, Rated, Reference
from index.transcript import Kind, Segment, Speaker, Transcript

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "**bold** _it_ ~~no~~ `code`",
    "[x](javascript:alert(1)) <http://evil.example> www.evil.example",
    "$$x^2$$ \\(y\\) ${alert(1)} {{constructor}}",
    "# heading\n\n- list\n\n    code\n\n| a | b |\n|---|---|\n",
    "&lt;b&gt; &#60;b&#62; &amp;",
    "tab\there\r\nand \"quotes\" 'both'",
    "</p></section></div><h1>out</h1>",
    "\u202eright to left\u202c",
]
# Neither U+0000 nor lone surrogates can stand in a page; they are shown as U+FFFD.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
TRUMP = Speaker("Donald Trump", "narration")
REPORT = 'NEWS\nThey spoke.\n"We talked. We talked. It went well."\nHe said "yes" twice.\n'


class Reading(HTMLParser):
    """What a browser reads: the text without the asides, and the text of each mark."""

    VOID = frozenset({"br", "img"})

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""
        self.asides: list[str] = []
        self.marks: dict[str, str] = {}
        self.classes: list[str] = []
        self.feed(markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            classes = dict(attrs).get("class") or ""
            self.open.append(f"{tag} {classes}")
            self.classes += classes.split()
            if "aside" in classes.split():
                self.asides.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().split()[0] == tag

    def handle_data(self, data: str) -> None:
        within = [name for element in self.open for name in element.split()]
        if "aside" in within:
            self.asides[-1] += data
            return
        if "text" in within or "blockquote" in within:
            self.text += data
        for name in {name for name in within if name.startswith("at-") or name == "mark"}:
            self.marks[name] = self.marks.get(name, "") + data


def transcript(text: str, *segments: Segment, **fields: str) -> Transcript:
    return Transcript("t", "A title", text, segments, **fields)  # type: ignore[arg-type]


def report() -> Transcript:
    """A heading, a narrated line, a quoted one, and one with speech inside narration."""
    spans: list[tuple[str, Kind, Speaker | None]] = [
        ("NEWS", "heading", None),
        ("They spoke.", "narration", None),
        ("We talked. We talked. It went well.", "speech", TRUMP),
        ("He said", "narration", None),
        ("yes", "speech", TRUMP),
        ("twice.", "narration", None),
    ]
    segments = []
    for words, kind, speaker in spans:
        start = REPORT.index(words)
        segments.append(Segment(start, start + len(words), kind, speaker))
    return transcript(REPORT, *segments)


def quote(of: Transcript, start: int, end: int, answer: tuple[int, int], **fields: object) -> Quote:
    segment = of.segment_at(answer[0])
    made = Quote(
        source=Source(of.id, of.title, of.sha256, of.date),
        start=start,
        end=end,
        text=of.text[start:end],
        answer_start=answer[0],
        answer_end=answer[1],
        speaker=segment.speaker if segment else None,
        said_at=segment.at if segment else None,
        prefix="",
        suffix="",
        score=1.0,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def answer(*quotes: Quote, nearest: tuple[Quote, ...] = (), **fields: object) -> Answer:
    made = Answer("How?", "How?", quotes, nearest, 0.93, 1, 58, 0.0412)
    return replace(made, **fields)  # type: ignore[arg-type]


# --- Text stays text ----------------------------------------------------------------------


@given(TEXTS)
def test_literal_leaves_nothing_for_a_parser_to_act_on(text: str) -> None:
    shown = markup.literal(text)
    assert html.unescape(shown) == text
    assert not set(shown) & (set(string.punctuation + "\n\r\t") - set("&#;"))


def test_what_html_cannot_hold_is_replaced() -> None:
    assert markup.literal("a\0b\ud800c") == "a\ufffdb\ufffdc"


@given(TEXTS)
def test_the_question_comes_back_out_of_its_message(question: str) -> None:
    assert markup.question_of(markup.question_html(question)) == question


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_shown_as_it_reads_wherever_it_stands(attack: str) -> None:
    speaker = Speaker(attack, "narration")
    said = Transcript(attack, attack, attack, (Segment(0, len(attack), "speech", speaker),))
    asked = answer(quote(said, 0, len(attack), (0, len(attack))), resolved_question=attack + "?")
    message = markup.answer_html(asked, {attack: said})
    assert Reading(message).marks["mark"] == attack
    panel = markup.transcript_html(said, markup.quote_references(asked)[0])
    assert Reading(panel).text == attack
    for made in (message, panel, markup.failure_html(attack), markup.contents_html([said])):
        assert "\n" not in made
        assert not {"script", "img", "h1"} & {tag.split()[0] for tag in tags(made)}


def tags(made: str) -> list[str]:
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append(tag)  # type: ignore[method-assign]
    parser.feed(made)
    return found


# --- References ---------------------------------------------------------------------------


@given(TEXTS.filter(bool), st.lists(st.tuples(st.integers(0, 99), st.booleans()), max_size=4))
def test_a_reference_survives_its_journey_through_the_page(name: str, at: list) -> None:  # type: ignore[type-arg]
    marks = tuple(
        Mark(str(n), start, start + 9, (start + 1, start + 2) if has else None)
        for n, (start, has) in enumerate(at)
    )
    reference = Reference(name, "0123abc", marks, "0" if marks else "")
    assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize("text", ["", "x", "t=a&q=1:2", "t=a&q=1:a-b:", "q=1:0-1:"])
def test_anything_else_is_no_reference(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a (reference|mark)"):
        Reference.parse(text)


@given(TEXTS.filter(bool), st.lists(st.from_regex(r"q_[0-9a-f]{16}", fullmatch=True)))
def test_what_is_rated_survives_its_journey_through_the_page(question: str, ids: list) -> None:  # type: ignore[type-arg]
    rated = Rated(question, tuple(ids[:2]), tuple(ids[2:]))
    assert Rated.parse(str(rated)) == rated


@pytest.mark.parametrize("text", ["", "x", "q=q_1"])
def test_anything_else_is_no_rated_answer(text: str) -> None:
    with pytest.raises(ValueError, match="not a rated answer"):
        Rated.parse(text)


# --- Answers ------------------------------------------------------------------------------


def test_an_answer_shows_the_sentence_with_the_answering_words_marked() -> None:
    said = report()
    start = REPORT.index("It went well.")
    made = markup.answer_html(
        answer(quote(said, start, start + 13, (start + 8, start + 12))), {"t": said}
    )
    reading = Reading(made)
    assert reading.text == "It went well."
    assert reading.marks == {"mark": "well"}
    assert words(made) == (
        "It went well. [1] Donald Trump A title · paragraph 2 · per the report "
        "Link to quote 1 Copy quote 1 Copy quote 1 as "
        "Markdown MediaWiki DokuWiki Confluence HTML JSON-LD CSL-JSON Plain text "
        "Searched 1 transcript, 58 segments in 41 ms · confidence high, 93% "
        "Is that right? Yes No"
    )


def words(made: str) -> str:
    """The text of the page, white space made one between the elements."""
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_data = found.append  # type: ignore[method-assign]
    parser.feed(made.replace("<mark>", "").replace("</mark>", "").replace("</bdi>", ""))
    return " ".join(" ".join(found).split())


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"speaker": Speaker("Ann", "label")}, "Ann A title · paragraph 2"),
        ({"speaker": Speaker("Ann", "filename")}, "Ann A title · paragraph 2 · per the file name"),
        ({"speaker": None}, "Speaker not identified A title · paragraph 2"),
        ({"said_at": (812.4, 819.0)}, "Donald Trump A title · 13:32 · per the report"),
        ({"said_at": (4412.4, 4413.0)}, "Donald Trump A title · 1:13:32 · per the report"),
        (
            {"source": Source("t", "A title", report().sha256, "2025-05-19")},
            "Donald Trump A title · 2025-05-19 · paragraph 2 · per the report",
        ),
        # Of another version of the transcript the paragraph is not known.
        (
            {"source": Source("t", "A title", "0" * 64, None)},
            "Donald Trump A title · per the report",
        ),
    ],
)
def test_a_citation_says_who_where_and_when(fields: dict[str, object], shown: str) -> None:
    said = report()
    start = REPORT.index("It went well.")
    cited = quote(said, start, start + 13, (start + 8, start + 12), **fields)
    made = markup.answer_html(answer(cited), {"t": said})
    assert shown in words(made).replace(" · ", " · ")


def test_narration_is_called_narration_and_a_heading_a_heading() -> None:
    said = report()
    narrated = quote(said, 5, 16, (5, 16))
    made = words(markup.answer_html(answer(narrated, quote(said, 0, 4, (0, 4))), {"t": said}))
    assert "[1] Narration A title · paragraph 1" in made
    assert "[2] Speaker not identified A title · heading" in made


def test_a_plain_citation_is_plain() -> None:
    said = report()
    start = REPORT.index("It went well.")
    cited = quote(said, start, start + 13, (start, start + 2))
    assert (
        markup.plain_citation(cited, said) == "Donald Trump, per the report, A title, paragraph 2"
    )
    assert markup.plain_citation(cited, None) == "Donald Trump, per the report, A title"


def test_a_refusal_does_not_look_like_an_answer() -> None:
    said = report()
    near = (quote(said, 5, 16, (5, 9)), quote(said, 18, 28, (18, 20)))
    made = markup.answer_html(answer(nearest=near, confidence=0.08), {"t": said})
    reading = Reading(made)
    assert "refusal" in reading.classes
    assert "answer" not in reading.classes
    assert reading.marks == {}
    assert "Nobody says that on the record." in words(made)
    assert "Nearest quotes – not an answer They spoke. a Narration" in words(made)
    assert "[1]" not in words(made)
    assert markup.status_text(answer(nearest=near)) == "No answer found"


def test_the_resolved_question_is_shown_where_it_differs() -> None:
    assert "Searched for" not in markup.answer_html(answer(), {})
    resolved = markup.answer_html(answer(resolved_question="How long?"), {})
    assert "Searched for: How long?" in words(resolved)


def test_a_failure_looks_like_neither() -> None:
    made = markup.failure_html("The index is locked; wait.")
    assert "failure" in Reading(made).classes
    assert words(made) == "That did not work. The index is locked; wait."


def test_every_citation_marks_all_quotes_of_its_transcript() -> None:
    said, other = report(), replace(report(), id="other")
    given = answer(
        quote(said, 5, 16, (5, 9)), quote(other, 18, 28, (18, 20)), quote(said, 29, 39, (29, 31))
    )
    first, second, third = markup.quote_references(given)
    assert first.marks == third.marks == (Mark("1", 5, 16, (5, 9)), Mark("3", 29, 39, (29, 31)))
    assert second.marks == (Mark("2", 18, 28, (18, 20)),)
    assert (first.focus, third.focus) == ("1", "3")


# --- Transcripts --------------------------------------------------------------------------


@st.composite
def marked_transcripts(draw: st.DrawFn) -> tuple[Transcript, Reference]:
    text = draw(st.text(st.sampled_from('ab é<&*\n\n"\r\t\U0001f600'), min_size=1, max_size=300))
    edges = draw(st.lists(st.integers(0, len(text)), max_size=12, unique=True).map(sorted))
    speakers = st.sampled_from([None, TRUMP, Speaker("Bo", "label"), Speaker("Cy", "cue")])
    kinds: st.SearchStrategy[Kind] = st.sampled_from(["speech", "narration", "heading"])
    times = st.none() | st.integers(0, 9000).map(lambda second: (second, second + 1.5))
    segments = [
        Segment(start, end, draw(kinds), draw(speakers), draw(times))
        for start, end in zip(edges[::2], edges[1::2], strict=False)
    ]
    marks = []
    for n in range(draw(st.integers(0, 3))):
        cut = sorted(draw(st.lists(st.integers(0, len(text)), min_size=4, max_size=4)))
        if cut[1] < cut[2]:
            marks.append(Mark(str(n + 1), cut[0], cut[3], (cut[1], cut[2])))
    made = Transcript("t", "T", text, tuple(segments))
    return made, Reference("t", made.sha256[:16], tuple(marks), "1")


@given(marked_transcripts())
def test_every_character_is_shown_in_order_and_every_mark_is_exact(
    case: tuple[Transcript, Reference],
) -> None:
    made, reference = case
    reading = Reading(markup.transcript_html(made, reference))
    assert reading.text == made.text
    for mark in reference.marks:
        assert mark.answer
        assert reading.marks[f"at-{mark.label}"] == made.text[slice(*mark.answer)]


@given(marked_transcripts())
def test_paragraphs_cover_the_text_without_gap_or_overlap(
    case: tuple[Transcript, Reference],
) -> None:
    made, _ = case
    edges = [0]
    for paragraph in markup.paragraphs(made):
        assert paragraph.start == edges[-1]
        edges.append(paragraph.end)
    assert edges[-1] == len(made.text)


def test_the_cited_occurrence_of_a_repeated_sentence_is_marked() -> None:
    said = report()
    second = REPORT.rindex("We talked.")
    reference = Reference("t", "", (Mark("1", second, second + 10, (second, second + 2)),), "1")
    made = markup.transcript_html(said, reference)
    before = made[: made.index('<mark class="at-1"')]
    assert Reading(before + "</span></p></div></div>").text.endswith('"We talked. ')


def test_speakers_and_numbers_stand_beside_the_text() -> None:
    reading = Reading(markup.transcript_html(report(), Reference("t")))
    assert reading.text == REPORT
    asides = [" ".join(aside.split()) for aside in reading.asides]
    assert asides == ["paragraph 1", "paragraph 2", "Donald Trump", "paragraph 3"]


def test_a_label_in_the_text_is_not_printed_twice() -> None:
    text = "[00:04] ANN: Good evening.\n"
    ann = Speaker("Ann", "label")
    said = transcript(text, Segment(13, 26, "speech", ann, (4.0, 5.0)))
    reading = Reading(markup.transcript_html(said, Reference("t")))
    assert reading.text == text
    assert reading.asides == []
    assert "label" in reading.classes


def test_captions_flow_together_until_someone_else_speaks_or_pauses() -> None:
    text = "we came\nto talk\nof bridges\nwhy\n"
    bo = Speaker("Bo", "cue")
    times = [(0.0, 1.0), (1.0, 2.0), (9.0, 10.0)]
    starts = [0, 8, 16]
    ends = [7, 15, 26]
    cues = [Segment(s, e, "speech", bo, at) for s, e, at in zip(starts, ends, times, strict=True)]
    said = transcript(text, *cues, Segment(27, 30, "speech", Speaker("Cy", "cue"), (10.0, 11.0)))
    shown = [text[p.start : p.end] for p in markup.paragraphs(said)]
    assert shown == ["we came\nto talk\n", "of bridges\n", "why\n"]
    asides = Reading(markup.transcript_html(said, Reference("t"))).asides
    assert asides == ["0:00 ", "Bo", "0:09 ", "0:10 ", "Cy"]


def test_hard_wrapped_lines_are_one_paragraph() -> None:
    text = "One line\nand its rest.\n\nAnother.\n"
    said = transcript(text, Segment(0, 22, "narration"), Segment(24, 32, "narration"))
    shown = [(text[p.start : p.end], p.number) for p in markup.paragraphs(said)]
    assert shown == [("One line\nand its rest.\n", 1), ("\nAnother.\n", 2)]
    assert markup.paragraph_number(said, text.index("rest")) == 1
    assert markup.paragraph_number(said, text.index("Another")) == 2


def test_of_a_long_transcript_the_part_around_the_quote_is_shown() -> None:
    line = "Nothing of note was said in this line of it. "
    text = "".join(f"{n} {line}\n" for n in range(6000))
    start = text.index("4321 Nothing")
    said = transcript(text, Segment(0, len(text), "narration"))
    mark = Mark("1", start, start + 20, (start, start + 4))
    made = markup.transcript_html(said, Reference("t", "", (mark,), "1"))
    reading = Reading(made)
    assert reading.marks["at-1"] == "4321"
    assert reading.text in text
    assert 20_000 <= len(reading.text) <= 24_000
    assert reading.text.endswith("\n")
    assert "an excerpt around the quote" in made


def test_a_line_without_end_is_cut() -> None:
    text = "word " * 100_000
    said = transcript(text, Segment(0, len(text), "narration"))
    mark = Mark("1", 250_000, 250_004, (250_000, 250_004))
    reading = Reading(markup.transcript_html(said, Reference("t", "", (mark,), "1")))
    assert reading.marks["at-1"] == "word"
    assert len(reading.text) == 20_000


def test_marks_of_another_version_are_not_placed() -> None:
    reference = Reference("t", "f" * 16, (Mark("1", 5, 16, (5, 9)),), "1")
    made = markup.transcript_html(report(), reference)
    assert Reading(made).marks == {}
    assert "This transcript has changed since that answer" in made


def test_a_large_index_is_listed_in_part() -> None:
    summaries = [replace(report(), id=str(n)) for n in range(markup.LISTED + 20)]
    made = markup.contents_html(summaries)
    assert made.count("<li>") == markup.LISTED
    assert "and 20 more" in made


# --- The page as a value ------------------------------------------------------------------


class Fake:
    def __init__(self, *examples: str) -> None:
        self.questions = examples

    def ask(self, question: str, history: object, /) -> Answer:
        return answer(question=question)

    def transcripts(self, /) -> list[Transcript]:
        return [report()]

    def transcript(self, id: str, /) -> Transcript:
        return {"t": report()}[id]

    def examples(self, /) -> tuple[str, ...]:
        return self.questions


def test_pages_can_be_made_many_times_and_share_nothing() -> None:
    from app.chat import create_chat

    one, other = create_chat(Fake("Why?")), create_chat(Fake("Who?"))
    labels = [
        {block.value for block in page.blocks.values() if type(block).__name__ == "Button"}
        for page in (one, other)
    ]
    assert "Why?" in labels[0] - labels[1]
    assert "Who?" in labels[1] - labels[0]
    assert not one.analytics_enabled
    assert all(fn.api_visibility == "private" for fn in one.fns.values())


def test_a_single_transcript_stands_open_from_the_start() -> None:
    from app.chat import create_chat

    values = [getattr(block, "value", None) for block in create_chat(Fake()).blocks.values()]
    shown = [Reading(value).text for value in values if 'class="reading"' in str(value)]
    assert shown == [REPORT]


def test_gradio_is_not_imported_before_a_page_is_made() -> None:
    code = "import sys, app.chat; sys.exit('gradio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
