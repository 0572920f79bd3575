"""A run shown: the tables word for word, the files, and that no words of a run become markup."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from eval.figures import (
    BY_KEY,
    MEASURES,
    Columns,
    Part,
    figures,
    grouped,
    intervals,
    parts_of,
)
from eval.questions import Gold, Question
from eval.report import slices_of, write_report
from eval.rows import Run
from eval.scores import score
from eval.system import Reply
from eval.tables import HEADLINE, aligned, short_table, slices_table, table
from index.chunk import Chunk
from index.errors import OnRecordError
from index.transcript import text_sha256
from tests.eval.ship import Exchange, cite, manifest, question, reply

TABLE = """\
                           dev  test
questions                    9     0
  answerable                 6     0
  unanswerable               3     0
errors                       2     0
passage found, first    33.3 %     -
  in the top 5          83.3 %     -
  in the top 10         83.3 %     -
  in the top 30         83.3 %     -
MRR                      0.556     -
nDCG@10                  0.614     -
EM                      44.4 %     -
  answerable            50.0 %     -
  unanswerable          33.3 %     -
F1                      51.9 %     -
  answerable            61.1 %     -
  unanswerable          33.3 %     -
right quote first       50.0 %     -
  in the top 3          66.7 %     -
ranked first            50.0 %     -
  in the top 3          83.3 %     -
right occurrence        50.0 %     -
citations exact        100.0 %     -
right speaker           66.7 %     -
refusal precision       50.0 %     -
refusal recall          33.3 %     -
  near misses           50.0 %     -
AUROC of confidence      0.389     -
AURC                     0.400     -
coverage at 5 % risk    22.2 %     -
coverage at 10 % risk   22.2 %     -
ECE                      0.272     -
seconds, p50           0.400 s     -
seconds, p95           0.670 s     -"""

SLICES_TABLE = """\
kind   n  answerable    found       EM       F1    first    top 3  ranked first  refusal recall
list   1           1  100.0 %  100.0 %  100.0 %  100.0 %  100.0 %       100.0 %               -
what   4           1  100.0 %   50.0 %   50.0 %  100.0 %  100.0 %       100.0 %          33.3 %
where  2           2   50.0 %    0.0 %    0.0 %    0.0 %    0.0 %         0.0 %               -
who    2           2  100.0 %   50.0 %   83.3 %   50.0 %  100.0 %        50.0 %               -"""


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are tested in `test_figures`; here they need not be good."""
    monkeypatch.setattr("eval.figures.RESAMPLES", 40)


@pytest.fixture
def run(exchange: Exchange) -> Run:
    """Its run; those that answered took 0.1, 0.2 ... 0.7 seconds, the last two are of `test`."""
    times = iter([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    rows = [
        replace(
            row,
            seconds=next(times) if row.error is None else 99.0,
            split="test" if n > 6 else "dev",
        )
        for n, row in enumerate(exchange.rows())
    ]
    return Run(manifest(), tuple(rows))


# --- In a terminal -----------------------------------------------------------------------


def test_table(run: Run) -> None:
    assert table({"dev": figures(run.rows), "test": figures([])}) == TABLE


def test_slices_table(run: Run) -> None:
    kinds = grouped(run.rows, lambda row: row.kind)
    assert slices_table("kind", {kind: figures(some) for kind, some in kinds.items()}) == (
        SLICES_TABLE
    )


def test_aligned() -> None:
    assert aligned([["", "A", "B"], ["first", "1", "-"], ["x", "1000", ""]]) == (
        "          A  B\nfirst     1  -\nx      1000"
    )


def test_the_short_table_has_the_headline_with_its_intervals(run: Run) -> None:
    every, none = (Part(name, figures(rows), intervals(Columns.of([score(row) for row in rows])))
                   for name, rows in (("dev", run.rows), ("test", ())))  # fmt: skip
    head, *lines = short_table([every, none]).splitlines()
    assert head.split() == ["dev", "test"]
    assert lines[0].split() == ["questions", "9", "0"]
    cells = {line[:21].strip(): line[21:].split() for line in lines[1:]}
    assert list(cells) == [BY_KEY[key].label for key in HEADLINE]
    first = every.intervals["right_quote_first"]
    assert first is not None
    low, high = 100 * first.low, 100 * first.high
    assert " ".join(cells["right quote first"]) == f"50.0 % ({low:.1f} - {high:.1f} %) -"
    assert " ".join(cells["citations exact"]) == "100.0 % (100.0 - 100.0 %) -"
    auroc = every.intervals["auroc"]
    assert auroc is not None
    assert " ".join(cells["AUROC of confidence"]) == (
        f"0.389 ({auroc.low:.3f} - {auroc.high:.3f}) -"
    )


def test_parts_are_the_splits_with_their_figures_and_intervals(run: Run) -> None:
    dev, test = parts_of(run.rows)
    assert (dev.name, test.name) == ("dev", "test")
    assert dev.figures == figures(run.rows[:7])
    assert dev.intervals == intervals(Columns.of([score(row) for row in run.rows[:7]]))
    assert test.figures == figures(run.rows[7:])


def test_slices_are_by_kind_by_transcript_and_by_what_gold_says_of_the_speaker(run: Run) -> None:
    rows = run.rows
    untold = replace(rows[1], speaker_given=False)
    slices = slices_of([rows[0], untold, *rows[2:]])
    assert {by: {name: its["n"] for name, its in some.items()} for by, some in slices.items()} == {
        "kind": {"list": 1, "what": 4, "where": 2, "who": 2},
        "transcript": {"ship": 9},
        "speaker": {"named": 3, "nobody named": 2, "not given": 1},
    }
    assert slices["kind"]["where"] == figures([rows[3], rows[4]])


# --- As files ----------------------------------------------------------------------------


class Page(HTMLParser):
    """A page's elements with their attributes, and its words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.articles: dict[str, str] = {}  # the words of each, by its question's id
        self._open: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag != "meta":
            self._open.append((tag, self.elements[-1][1].get("id", "")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag
        if tag == "p":
            self._add_to_article("\n")

    def handle_data(self, data: str) -> None:
        self.words += data
        self._add_to_article(data)

    def _add_to_article(self, data: str) -> None:
        for tag, identity in self._open:
            if tag == "article":
                name = identity.removeprefix("question-")
                self.articles[name] = self.articles.get(name, "") + data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")

    @property
    def shape(self) -> list[tuple[str, list[str]]]:
        """The elements, each with the names of its attributes: what no words may change."""
        return [(tag, [*attributes]) for tag, attributes in self.elements]

    def values(self, name: str) -> list[str]:
        """The values of an attribute, wherever it stands."""
        return [attributes[name] for _, attributes in self.elements if name in attributes]

    def lost_links(self) -> list[str]:
        """The links to places of the page that are not there."""
        ids = set(self.values("id"))
        return [link for link in self.values("href") if link.removeprefix("#") not in ids]


def page_of(run: Run, out: Path) -> Page:
    write_report(run, parts_of(run.rows), out)
    return Page((out / "report.html").read_text(encoding="utf-8"))


def test_both_files_are_written_into_a_folder_that_is_made(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "reports" / "today"
    write_report(run, parts_of(run.rows), out)
    assert sorted(file.name for file in out.iterdir()) == ["figures.json", "report.html"]


def test_a_report_is_written_over_an_older_one_and_is_the_same(run: Run, tmp_path: Path) -> None:
    for name in ("report.html", "figures.json"):
        (tmp_path / name).write_text("an older one", encoding="utf-8")
    page_of(run, tmp_path)
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    page_of(run, tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == written


def test_the_json_has_the_figures_with_their_intervals_and_what_was_lost(
    run: Run, tmp_path: Path
) -> None:
    parts = parts_of(run.rows)
    write_report(run, parts, tmp_path)
    found = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert found["manifest"] == asdict(run.manifest)
    splits = found["splits"]
    values = {
        name: {key: its["value"] for key, its in split.items()} for name, split in splits.items()
    }
    assert values == {"dev": figures(run.rows[:7]), "test": figures(run.rows[7:])}
    its = parts[0].intervals["f1"]
    assert its is not None
    assert splits["dev"]["f1"] == {
        "value": figures(run.rows[:7])["f1"], "low": its.low, "high": its.high
    }  # fmt: skip
    assert splits["dev"]["n"] == {"value": 7}
    assert found["slices"] == slices_of(run.rows)
    assert found["lost"] == {
        "failed": 1, "not retrieved": 0, "not read": 0, "refused": 1, "wrong span": 1, "right": 3
    }  # fmt: skip
    assert found["wrong"] == ["elsewhere", "too shy", "broken", "too bold", "broken too"]


def test_stages_that_lost_nothing_are_told_unless_nothing_failed(tmp_path: Path) -> None:
    asked = question("when", ("noon", 26))
    rows = Exchange([asked], {"when?": reply(0.1, hits=["noon"])}).run()
    write_report(rows, parts_of(rows.rows), tmp_path)
    found = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert found["lost"] == {
        "not retrieved": 0, "not read": 0, "refused": 1, "wrong span": 0, "right": 0
    }  # fmt: skip


@pytest.mark.parametrize("name", ["out", "out/deeper"])
def test_where_out_is_a_file_it_is_one_sentence_and_the_file_stays(
    run: Run, tmp_path: Path, name: str
) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    out = tmp_path / name
    with pytest.raises(OnRecordError) as caught:
        write_report(run, parts_of(run.rows), out)
    reason = "File exists" if name == "out" else "Not a directory"
    assert str(caught.value) == (
        f"The report cannot be written to {out} ({reason}): choose another --out."
    )
    assert [file.name for file in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["report.html", "figures.json"])
def test_where_one_file_cannot_be_written_neither_is(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name / "kept").mkdir(parents=True)
    with pytest.raises(OnRecordError, match=r"^The report cannot be written to .*\.$"):
        write_report(run, parts_of(run.rows), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [name]


# --- The page ----------------------------------------------------------------------------


def test_every_wrong_answer_is_listed_with_gold_and_given(run: Run, tmp_path: Path) -> None:
    page = page_of(run, tmp_path)
    articles = {name: " ".join(words.split()) for name, words in page.articles.items()}
    assert articles == {
        "elsewhere": (
            "elsewhere? elsewhere · who · dev · confidence 0.70 "
            "gold It sank ship, 70 given It sank. ship, 32"
        ),
        "too shy": (
            "too shy? too shy · where · dev · confidence 0.20 "
            "gold near Crete Bob · ship, 58 refused; nearest was It sank. ship, 35"
        ),
        "broken": (
            "broken? broken · where · dev gold Crete Bob · ship, 63 given The index is gone."
        ),
        "too bold": (
            "too bold? too bold · what · test · confidence 0.75 "
            "gold no answer given It sank. ship, 35"
        ),
        "broken too": (
            "broken too? broken too · what · test · near miss "
            "gold no answer given ZeroDivisionError: division by zero"
        ),
    }
    for stage in ("failed (2)", "refused (1)", "wrong span (1)", "answered in vain (1)"):
        assert stage in page.words
    assert "Wrong answers (5)" in page.words


def test_the_speaker_of_what_was_given_is_told_and_a_false_citation_marked(tmp_path: Path) -> None:
    asked = question("where", ("near Crete", 58), speaker="Bob")
    false = {**cite("noon", "noon", "Ann"), "transcript": {"id": "ship", "sha256": "0" * 64}}
    page = page_of(Exchange([asked], {"where?": reply(0.9, [false])}).run(), tmp_path)
    assert " ".join(page.articles["where"].split()).endswith(
        "given Ann says the ship left at noon. Ann · ship, 26 · not as the transcript has it"
    )


def test_of_many_gold_answers_three_are_shown(tmp_path: Path) -> None:
    golds = [("noon", 26), ("at noon", 23), ("left", 18), ("ship", 13), ("the ship", 9)]
    many = question("many", *golds)
    page = page_of(Exchange([many], {"many?": reply(0.1)}).run(), tmp_path)
    assert " ".join(page.articles["many"].split()) == (
        "many? many · what · dev · confidence 0.10 "
        "gold noon at noon left or 2 more ship, 26 refused; nearest was nothing"
    )


def test_gold_and_given_words_are_marked_where_they_stand(tmp_path: Path) -> None:
    asked = question("where", ("near Crete", 58), ("Crete", 63))
    quote = cite("Crete", "sank near")
    # Right by its sentence, were it not another transcript's: only what is wrong is listed.
    other = replace(asked, id="other", question="other?", golds=(Gold("left", 18),))
    exchange = Exchange(
        [asked, other],
        {"where?": reply(0.9, [cite("noon", "noon")]), "other?": reply(0.9, [quote])},
    )
    write_report(run := exchange.run(), parts_of(run.rows), tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (
        'Ann says the ship <a id="gold-other"></a><mark class="gold">left</mark> at '
        '<a id="given-where"></a><mark class="given">noon</mark>. It sank. Bob says it '
        '<a id="given-other"></a><mark class="given">sank </mark>'
        '<a id="gold-where"></a><mark class="given gold">near</mark>'
        '<mark class="gold"> </mark><mark class="gold">Crete</mark>. It sank.'
    ) in page


def test_every_link_leads_to_a_place_and_every_place_has_its_own_name(
    run: Run, tmp_path: Path
) -> None:
    page = page_of(run, tmp_path)
    assert page.lost_links() == []
    ids = page.values("id")
    assert sorted(ids) == sorted(set(ids))
    assert {"#gold-elsewhere", "#given-elsewhere", "#gold-broken", "#wrong"} <= set(
        page.values("href")
    )


def test_links_lead_somewhere_where_a_citation_is_of_nothing(tmp_path: Path) -> None:
    asked = [question(name, ("noon", 26)) for name in ("unknown", "behind")]
    unknown = {**cite("Crete", "Crete"), "transcript": {"id": "nobody's", "sha256": "0" * 64}}
    behind = {
        **cite("Crete", "Crete"),
        "start": 900,
        "end": 928,
        "answer": {"start": 922, "end": 927, "text": "Crete"},
    }
    exchange = Exchange(asked, {"unknown?": reply(0.9, [unknown]), "behind?": reply(0.9, [behind])})
    assert page_of(exchange.run(), tmp_path).lost_links() == []


def test_questions_may_be_called_like_parts_of_the_page(tmp_path: Path) -> None:
    names = "plots figures slices wrong passages run x gold-x".split()
    asked = [question(name, ("noon", 26)) for name in names]
    replies = {one.question: reply(0.1) for one in asked}
    page = page_of(Exchange(asked, {**replies}).run(), tmp_path)
    ids = page.values("id")
    assert sorted(ids) == sorted(set(ids))


def test_without_wrong_answers_there_is_none_to_list(tmp_path: Path) -> None:
    asked = question("when", ("noon", 26))
    right = reply(0.9, [cite("noon", "noon")], hits=["noon"])
    page = page_of(Exchange([asked], {"when?": right}).run(), tmp_path)
    assert page.articles == {}
    assert page.lost_links() == []
    assert "Wrong answers (0)" in page.words
    assert "Their passages" not in page.words


def test_where_all_failed_the_page_says_so(tmp_path: Path) -> None:
    asked = [question("one", ("noon", 26)), question("two")]
    broken = dict.fromkeys(("one?", "two?"), RuntimeError("out of memory"))
    page = page_of(Exchange(asked, {**broken}).run(), tmp_path)
    assert "failed (2)" in page.words
    assert "Nothing to show." in page.words  # no times


def test_the_cards_are_of_the_half_that_was_not_tuned_on(run: Run, tmp_path: Path) -> None:
    assert "Of the split “test”" in page_of(run, tmp_path).words
    dev = replace(run, rows=run.rows[:7])
    assert "Of the split “dev”" in page_of(dev, tmp_path).words


def test_every_figure_stands_on_the_page(run: Run, tmp_path: Path) -> None:
    page = page_of(run, tmp_path)
    rows = [" ".join(line.split()) for line in page.words.split("\n")]
    for measure in MEASURES:
        assert measure.label.strip() in rows, measure.key


def test_the_plots_show_their_numbers(run: Run, tmp_path: Path) -> None:
    words = page_of(run, tmp_path).words
    # Four of nine are answered wrongly among the six that stand above the threshold.
    assert "at the threshold 0.25: 56% answered, 40% of these wrong" in words
    assert "2 questions: confidence 72%, right 0%" in words
    assert "1 questions: confidence 90%, right 100%" in words
    assert "p50 400 ms" in words
    assert "p95 670 ms" in words


def test_the_page_opens_offline(run: Run, tmp_path: Path) -> None:
    page = page_of(run, tmp_path)
    raw = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert {tag for tag, _ in page.elements}.isdisjoint(
        {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    )
    assert all(link.startswith("#") for link in page.values("href"))
    assert page.values("src") == []
    assert "://" not in raw
    assert "@import" not in raw
    assert "url(" not in raw


# --- Words that would be markup ----------------------------------------------------------

ATTACKS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    "</title></style></textarea><script>alert(1)</script>",
    "<!-- --><svg onload=alert(1)><!--",
    "]]><?php echo 1 ?><![CDATA[",
    "&lt;script&gt; &amp;#60;b&#62; &copy",
    "{{ 7 * 7 }}{% raw %}{# #}{0.__class__}%s",
    "javascript:alert(1)",
    "https://example.com/<a href=https://example.com>",
    "<b>\N{RIGHT-TO-LEFT OVERRIDE}\N{LINE SEPARATOR}\ud83d`${1}\\",
]


def hostile(words: str) -> Run:
    """A run that says `words` wherever somebody else's words may stand."""
    text = f"{words} says {words} left. Nobody knows {words}."
    said = text.index("says") + 5

    def cited(start: int) -> dict[str, Any]:
        return {
            **cite("noon", "noon"),
            "id": words,
            "transcript": {"id": words, "title": words, "sha256": text_sha256(text)},
            "start": start,
            "end": start + len(words) + 1,
            "text": text[start : start + len(words) + 1],
            "answer": {"start": start, "end": start + len(words), "text": words},
            "speaker": {"name": words, "basis": "label"},
        }

    def asked(n: int, **fields: Any) -> Question:
        return question(
            f"{n}{words}",
            **{
                "split": "dev",
                "kind": words,
                "transcript": words,
                "question": f"{n}{words}?",
                "answerable": True,
                "speaker": words,
                **fields,
            },
        )

    gold = Gold(words, said)
    behind = text.rindex(words)
    questions = [
        replace(asked(0), golds=(gold,)),
        replace(asked(1), golds=(gold,)),
        replace(asked(2), golds=(gold,)),
        asked(3, answerable=False, speaker=None),
    ]
    replies: dict[str, Reply | Exception] = {
        f"0{words}?": reply(0.9, [cited(behind)]),
        f"1{words}?": reply(0.1, nearest=[cited(behind)]),
        f"2{words}?": RuntimeError(words),
        f"3{words}?": reply(0.9, [changed_text(cited(behind), words)]),
    }
    chunks = {words: [Chunk(words, 0, len(text))]}
    rows = Exchange(questions, replies, {words: text}, chunks).rows()
    about = manifest(
        set=words,
        split=words,
        questions=len(rows),
        transcripts={words: words},
        models={"embedder": words, "reader": words},
        versions={"on-record": words},
        commit=words,
        machine=words,
        started=words,
    )
    return Run(about, tuple(rows))


def changed_text(quote: dict[str, Any], words: str) -> dict[str, Any]:
    """The quote with words that its transcript does not have."""
    return {**quote, "text": f"{words}!"}


@pytest.mark.parametrize("words", ATTACKS)
def test_no_words_of_a_run_become_markup(words: str, tmp_path: Path) -> None:
    plain = "a plain stretch of words"
    benign = page_of(hostile(plain), tmp_path / "benign")
    page = page_of(hostile(words), tmp_path / "hostile")
    raw = (tmp_path / "hostile" / "report.html").read_text(encoding="utf-8")
    assert page.shape == benign.shape
    assert "<script" not in raw
    assert page.lost_links() == []
    assert all(link.startswith("#") for link in page.values("href"))
    shown = words.encode("utf-8", "replace").decode()
    assert page.words.count(shown) == benign.words.count(plain) > 20
    assert sorted(page.articles) == [f"{n}{shown}" for n in range(4)]
    for n in range(4):
        count = benign.articles[f"{n}{plain}"].count(plain)
        assert page.articles[f"{n}{shown}"].count(shown) == count
    # Beside names of places and links to them, no attribute has them.
    others = [its for _, all_ in page.elements for name, its in all_.items()
              if name not in ("id", "href")]  # fmt: skip
    assert not any(shown in value for value in others)


def test_odd_words_are_whole_in_the_json(tmp_path: Path) -> None:
    for words in ATTACKS:
        run = hostile(words)
        write_report(run, parts_of(run.rows), tmp_path)
        found = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
        assert found["wrong"] == [f"{n}{words}" for n in range(4)]
        assert found["manifest"]["set"] == words
