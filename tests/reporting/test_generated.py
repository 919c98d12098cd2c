"""The quality of generated texts by epoch, on texts whose words can be counted by hand."""

from dataclasses import replace
from typing import Any

import pytest
from matplotlib.figure import Figure

from pipeline.artifacts import Project
from pipeline.encoding.vocabulary import Vocabulary
from pipeline.reporting import generated
from pipeline.reporting.charts import COLOURS
from pipeline.reporting.elements import Element, Picture
from pipeline.reporting.report_data import ReportData

from .conftest import data_of

BOOK = "the cat said the hat"  # in the alphabet of the fixture


def test_known_words_do_not_count_what_the_prompt_and_the_end_cut() -> None:
    words = {"the", "cat", "hat"}
    assert generated.known_words("r the cat, hta the ca", words) == 3 / 4
    assert generated.known_words("the", words) == 1.0, "no whole word"
    assert generated.known_words("x teh cta x", words) == 0.0


def sample(epoch: int | None, text: str) -> dict[str, Any]:
    return {"prompt": "the", "temperature": 0.8, "text": text} | ({} if epoch is None else {"epoch": epoch})


@pytest.fixture
def alice(finished: Project) -> ReportData:
    return data_of(finished, "alice")


def elements(data: ReportData, **texts: list[dict[str, Any]]) -> list[Element]:
    """The elements for experiments that wrote these texts; their bits are 4, 2 and 1."""
    curves = [{"epoch": e, "loss": 1.0, "val_bits_per_char": 8 / 2**e} for e in (1, 2, 3)]
    rows = [
        replace(data.experiments[0], name=name, turn=i, samples=samples, curves=curves)
        for i, (name, samples) in enumerate(texts.items())
    ]
    symbols = Vocabulary(tuple(data.encoded.encoder["symbols"]))
    return generated.elements(replace(data, experiments=rows), symbols.encode(BOOK))


def test_score_and_texts_are_drawn_over_the_epochs_that_have_them(alice: ReportData, pictures: list[Figure]) -> None:
    wrote = [
        sample(1, "e cta said teh hat th"),  # cta, said, teh, hat: half of them known
        sample(3, "e cat said the cat said the cat sa"),  # all known
        sample(None, "never counted here xyz"),
    ]
    picture, *_ = elements(alice, other=[sample(1, "a b"), sample(None, "b")], writer=wrote)
    assert isinstance(picture, Picture) and picture.name == "texts-by-epoch"
    score, known, pairs, repeated = pictures[0].axes
    lines = [(str(line.get_color()), list(line.get_xdata()), list(line.get_ydata())) for line in score.lines]
    assert lines == [(COLOURS[1], [1, 2, 3], [4, 2, 1])], "the one with a single text is left out"
    (line,) = known.lines
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([1, 3], [50, 100])
    # Of 9 words there are 8 pairs: e cat, cat said, said the, the cat, cat said, said the, the cat, cat sa.
    assert list(pairs.lines[0].get_ydata()) == pytest.approx([100, 100 * 5 / 8])
    # And 6 runs of four: the 5th, cat said the cat, is the 2nd, and no other one repeats.
    assert list(repeated.lines[0].get_ydata()) == pytest.approx([0, 100 / 6])
    assert picture.alt.endswith("writer from 4.000 to 1.000, known words from 50 % to 100 %")


def test_texts_of_a_single_epoch_are_no_chart(alice: ReportData) -> None:
    assert not any(isinstance(e, Picture) for e in elements(alice, writer=[sample(1, "a b c")]))
