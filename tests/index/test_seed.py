"""The transcript that ships, by the paragraph: a report with quotations and no labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.formats import read_transcript
from index.transcript import Transcript

SEED = Path(__file__).parents[2] / "seeds" / "trump-putin-call.txt"
SHA256 = "102703653855d0774b0395625bcd47a24ba914cc84648eec85aabfa14c05191f"

# Line number (from 1) to speaker, for the quoted paragraphs; the rest is narration.
QUOTED = {
    4: "Donald Trump",
    6: "Donald Trump",
    9: "Vladimir Putin",
    11: "Vladimir Putin",
    14: "Volodymyr Zelenskyy",
    16: "Volodymyr Zelenskyy",
    20: "Yuri Ushakov",
    22: "Yuri Ushakov",
    25: None,  # "Trump mentioned that ...": its speaker is not named
}


@pytest.fixture(scope="module")
def seed() -> Transcript:
    transcript, note = read_transcript(SEED, "seed")
    assert note is None
    return transcript


def test_the_text_is_the_file_unchanged(seed: Transcript) -> None:
    assert seed.sha256 == SHA256
    assert seed.text.encode() == SEED.read_bytes()
    assert (seed.title, seed.date, seed.source) == ("Trump Putin Call", None, str(SEED))


def test_every_line_is_one_segment(seed: Transcript) -> None:
    lines = seed.text.splitlines()
    assert [seed.text[s.start : s.end] for s in seed.segments] == [
        line.strip('"') if number in QUOTED else line for number, line in enumerate(lines, 1)
    ]


def test_kinds(seed: Transcript) -> None:
    assert [segment.kind for segment in seed.segments] == [
        "heading" if n == 1 else "speech" if n in QUOTED else "narration" for n in range(1, 29)
    ]


def test_speakers(seed: Transcript) -> None:
    found = {
        n: segment.speaker.name if segment.speaker else None
        for n, segment in enumerate(seed.segments, 1)
        if segment.kind == "speech"
    }
    assert found == QUOTED
    assert {s.speaker.basis for s in seed.segments if s.speaker} == {"narration"}
    assert not any(s.speaker for s in seed.segments if s.kind != "speech")
    assert not any(segment.at for segment in seed.segments)
