"""Figures against values computed by hand from the nine questions of `exchange`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eval.report import Figures, by_kind, by_split, figures, kinds_table, table
from eval.run import Row
from tests.eval.ship import Exchange, cite, question, reply, row_of

TABLE = """\
                          dev  test
questions                   9     0
  answerable                6     0
  unanswerable              3     0
errors                      2     0
EM                     44.4 %     -
  answerable           50.0 %     -
  unanswerable         33.3 %     -
F1                     51.9 %     -
  answerable           61.1 %     -
  unanswerable         33.3 %     -
right quote first      50.0 %     -
right quote in top 3   66.7 %     -
ranked first           50.0 %     -
ranked in top 3        83.3 %     -
right occurrence       50.0 %     -
right speaker          66.7 %     -
citations exact       100.0 %     -
refusal precision      50.0 %     -
refusal recall         33.3 %     -
  near misses          50.0 %     -
AUROC of confidence     0.389     -
seconds, p50          0.400 s     -
seconds, p95          0.670 s     -"""

KINDS_TABLE = """\
kind   n  answerable       EM       F1    first    top 3  ranked first  refusal recall
list   1           1  100.0 %  100.0 %  100.0 %  100.0 %       100.0 %               -
what   4           1   50.0 %   50.0 %  100.0 %  100.0 %       100.0 %          33.3 %
where  2           2    0.0 %    0.0 %    0.0 %    0.0 %         0.0 %               -
who    2           2   50.0 %   83.3 %   50.0 %  100.0 %        50.0 %               -"""


@pytest.fixture
def rows(exchange: Exchange) -> list[Row]:
    """Its rows; those that answered took 0.1, 0.2 ... 0.7 seconds, the failures 99."""
    times = iter([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    return [
        replace(row, seconds=next(times) if row.error is None else 99.0) for row in exchange.rows()
    ]


def test_figures(rows: list[Row]) -> None:
    measured = figures(rows)
    expected = Figures(
        n=9,
        n_answerable=6,
        n_unanswerable=3,
        em=4 / 9,  # right, elsewhere, list, nobody knows
        f1=14 / 27,  # and "ship left" for "the ship": 2/3
        em_has_ans=3 / 6,
        f1_has_ans=11 / 18,
        em_no_ans=1 / 3,
        f1_no_ans=1 / 3,
        right_quote_first=3 / 6,  # right, half, list
        right_quote_top_3=4 / 6,  # and elsewhere
        ranked_first=3 / 6,
        ranked_top_3=5 / 6,  # and too shy
        right_occurrence=3 / 6,  # elsewhere has the right words in the wrong place
        speaker_accuracy=2 / 3,  # of right, half, list; half names Bob for Ann
        citations_exact=1.0,
        refusal_precision=1 / 2,  # too shy, nobody knows
        refusal_recall=1 / 3,  # nobody knows
        refusal_recall_near_miss=1 / 2,  # nobody knows; broken too refused nothing
        auroc=7 / 18,  # of 6 x 3 pairs: 5 with nobody knows, 2 with too bold, none with broken too
        seconds_p50=0.4,
        seconds_p95=0.67,
        errors=2,
    )
    for name in Figures.__slots__:
        assert getattr(measured, name) == pytest.approx(getattr(expected, name)), name


def test_nothing_measured_is_none_and_never_nought_or_one() -> None:
    empty = figures([])
    assert [empty.n, empty.n_answerable, empty.n_unanswerable, empty.errors] == [0, 0, 0, 0]
    shares = set(Figures.__slots__) - {"n", "n_answerable", "n_unanswerable", "errors"}
    assert {getattr(empty, name) for name in shares} == {None}


def test_one_planted_offset_lowers_citations_exact(exchange: Exchange) -> None:
    quote = exchange.replies["right?"]["quotes"][0]
    planted = {**exchange.replies["right?"], "quotes": [{**quote, "start": quote["start"] + 1}]}
    changed = replace(exchange, replies={**exchange.replies, "right?": planted})
    # 7 quotes and 3 nearest ones came back.
    assert figures(changed.rows()).citations_exact == pytest.approx(9 / 10)


def test_a_failure_is_wrong_wherever_it_is_counted() -> None:
    known = question("known", ("noon", 26))
    nobody = question("nobody")
    good = [
        row_of(known, reply(0.9, [cite("noon", "noon")])),
        row_of(nobody, reply(0.1)),
    ]
    failed = [row_of(asked, RuntimeError("out of memory")) for asked in (known, nobody)]
    assert (figures(good).em, figures(good).refusal_recall, figures(good).auroc) == (1, 1, 1)
    half = figures([*good, *failed])
    assert half.em == half.f1 == half.right_quote_first == half.refusal_recall == 1 / 2
    assert half.auroc == 1 / 4
    assert half.refusal_precision == 1
    assert half.errors == 2


def test_the_same_words_in_another_transcript_are_wrong() -> None:
    asked = question("known", ("noon", 26), transcript="another")
    measured = figures([row_of(asked, reply(0.9, [cite("noon", "noon")]))])
    assert measured.em == 1
    assert measured.right_quote_first == measured.right_occurrence == 0
    assert measured.speaker_accuracy is None


def test_spans_that_only_touch_do_not_overlap() -> None:
    # Gold is "at", the answer "noon" one character after it, in the same sentence.
    asked = question("known", ("at ", 23))
    measured = figures([row_of(asked, reply(0.9, [cite("noon", "noon")]))])
    assert measured.right_quote_first == 1
    assert measured.right_occurrence == 0


def test_a_fourth_quote_is_not_in_the_top_3() -> None:
    wrong = [cite("sank first", "sank")] * 2
    right = cite("noon", "noon")
    asked = question("known", ("noon", 26))
    third = figures([row_of(asked, reply(0.9, [*wrong, right]))])
    fourth = figures([row_of(asked, reply(0.9, [*wrong, wrong[0], right]))])
    assert (third.right_quote_top_3, fourth.right_quote_top_3) == (1, 0)


def test_gold_parts_are_joined_in_the_transcripts_order() -> None:
    asked = question("list", ("near Crete", 58), ("noon", 26), multi=True)
    one_part = figures([row_of(asked, reply(0.9, [cite("noon", "noon")]))])
    assert one_part.em == 0
    assert one_part.f1 == pytest.approx(
        2 * 1 * (1 / 3) / (1 + 1 / 3)
    )  # 1 word of "noon near Crete"


def test_rows_by_kind_and_by_split(rows: list[Row]) -> None:
    kinds = by_kind(rows)
    assert {kind: [row.id for row in some] for kind, some in kinds.items()} == {
        "list": ["list"],
        "what": ["right", "nobody knows", "too bold", "broken too"],
        "where": ["too shy", "broken"],
        "who": ["half", "elsewhere"],
    }
    assert list(kinds) == ["list", "what", "where", "who"]
    moved = [replace(rows[0], split="test"), rows[1]]
    assert by_split(moved) == {"dev": [rows[1]], "test": [moved[0]]}


def test_table(rows: list[Row]) -> None:
    assert table({"dev": figures(rows), "test": figures([])}) == TABLE


def test_kinds_table(rows: list[Row]) -> None:
    kinds = {kind: figures(some) for kind, some in by_kind(rows).items()}
    assert kinds_table(kinds) == KINDS_TABLE
