"""The section of a study, as the person who opens the page sees it."""

import io
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pipeline.evaluation.metric import Metric
from pipeline.reporting import study, study_pictures
from pipeline.reporting.elements import Picture, Table

BITS = Metric("bits_per_char").shown("bits per character")
ACCURACY = Metric("accuracy", higher_is_better=True).shown("accuracy", unit="%")


def arm(name: str, mean: float, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name,
        "settings": {},
        "seeds": [1, 2, 3],
        "scores": [mean - 0.01, mean, mean + 0.01],
        "mean": mean,
        "sd": 0.01,
        "low": mean - 0.025,
        "high": mean + 0.025,
        "parameters": 12_345,
        "seconds": 61.0,
        "memory": 1_234.0,
        "pareto": {"parameters": True, "seconds": False, "memory": True},
    }
    return row | changes


def pair(a: str, b: str, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "a": a,
        "b": b,
        "seeds": 3,
        "difference": -0.25,
        "low": -0.375,
        "high": -0.125,
        "p": 0.0123,
        "p_holm": 0.0246,
        "basis": "seeds and examples",
        "different": True,
    }
    return row | changes


def study_of(arms: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]], **further: Any) -> dict[str, Any]:
    return {
        "verdict": "A <b> verdict.",
        "arms": arms,
        "pairs": pairs,
        "best": [row["name"] for row in arms[:1]],
    } | further


@pytest.fixture
def three() -> dict[str, Any]:
    pairs = [
        pair("cell=gru", "cell=lstm"),
        pair("cell=gru", "<rnn>", difference=0.5, low=0.25, high=0.75, p=1e-9, p_holm=2e-9),
        pair("cell=lstm", "<rnn>", low=-0.5, high=0.125, p=0.21, p_holm=0.21, different=False),
    ]
    return study_of([arm("cell=gru", 1.5), arm("cell=lstm", 1.75), arm("<rnn>", 2.0)], pairs)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws no pictures, for tests of what is written."""
    for name in ("means", "against_cost", "critical_difference"):
        monkeypatch.setattr(study_pictures, name, lambda *_: Picture("", "", "", b""))


written = pytest.mark.usefixtures("undrawn")


class Page(HTMLParser):
    """Rows of cells, the text, the words in <details>, and the sources and descriptions of images."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.text, self.folded = "", ""
        self.images: list[dict[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "meta":
            return
        if tag == "img":
            self.images.append(dict(attrs))
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        self.folded += data if "details" in self.open else ""
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


@written
def test_the_verdict_comes_first_and_every_text_is_escaped(three: dict[str, Any]) -> None:
    html = study.page("cells <i>", three | {"experiment": "sonnets-gru", "match": "parameters"}, BITS)
    page = Page(html)
    assert page.open == [] and "<rnn>" not in html and "<i>" not in html
    assert page.text.index("A <b> verdict.") < page.text.index("Arms")
    assert "study of sonnets-gru, same parameters" in page.text


@written
@pytest.mark.parametrize(("edition", "shown"), [("synthetic", True), ("published", False)])
def test_synthetic_data_is_named(three: dict[str, Any], edition: str, shown: bool) -> None:
    assert ("Synthetic data" in Page(study.page("cells", three | {"edition": edition}, BITS)).text) == shown


@written
def test_the_table_of_arms_has_their_figures(three: dict[str, Any]) -> None:
    rows = Page(study.page("cells", three, BITS)).rows
    assert rows[1] == [
        "cell=gru", "1.500 ± 0.010", "1.475 to 1.525", "12,345", "61 s", "1,234 MB", "parameters, memory"
    ]  # fmt: skip
    (table,) = (e for e in study.elements(three, BITS) if isinstance(e, Table) and e.key == "arms")
    assert table.strong == {0}


@written
def test_the_table_of_pairs_says_which_is_better(three: dict[str, Any]) -> None:
    rows = {tuple(row[:2]): row[2:] for row in Page(study.page("cells", three, BITS)).rows}
    assert rows["cell=gru", "cell=lstm"] == ["−0.25", "−0.38 to −0.12", "better", "0.012", "0.025"]
    assert rows["cell=gru", "<rnn>"] == ["+0.50", "+0.25 to +0.75", "worse", "< 0.0001", "< 0.0001"]
    assert rows["cell=lstm", "<rnn>"] == ["−0.25", "−0.50 to +0.12", "no clear difference", "0.21", "0.21"]
    marks = [row[4].mark for row in study.pairs_table(three, BITS).rows]
    assert marks == ["good", "bad", "even"]


def test_shares_are_in_points_and_a_higher_one_is_better(three: dict[str, Any]) -> None:
    table = study.pairs_table(three, ACCURACY)
    assert [cell.text for cell in table.rows[0][2:5]] == ["−25.0", "−37.5 to −12.5", "worse"]
    assert "Difference of accuracy in points" in table.caption


@written
@pytest.mark.parametrize(
    ("basis", "word", "caption"),
    [
        ("examples", "no second seed", "not for other seeds"),
        ("seeds", "too few test examples", "not for other test examples"),
        ("", "no verdict", "there is no interval"),
    ],
)
def test_pairs_without_a_verdict_say_why(basis: str, word: str, caption: str) -> None:
    limits: dict[str, Any] = {} if basis else {"low": None, "high": None, "p": None, "p_holm": None}
    untested = pair("a", "b", basis=basis, different=None, **limits)
    alone = {"sd": None, "low": None, "high": None, "seeds": [1], "scores": [1.0]}
    page = Page(study.page("s", study_of([arm("a", 1.0, **alone), arm("b", 2.0, **alone)], [untested]), BITS))
    (row,) = (row for row in page.rows if row[:2] == ["a", "b"])
    assert "no verdict" in row[4] and word in row[4]
    assert caption in page.text and "Holm’s correction is for" not in page.text
    assert "One training of each arm" in page.text


@written
@pytest.mark.parametrize(("arms", "folded"), [(5, False), (6, True)])
def test_more_than_ten_pairs_are_folded(arms: int, folded: bool) -> None:
    names = [f"arm-{i}" for i in range(arms)]
    pairs = [pair(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    page = Page(study.page("s", study_of([arm(name, 1.0) for name in names], pairs), BITS))
    assert [row[:2] for row in page.rows if row[0] == "arm-0"][-1] == ["arm-0", f"arm-{arms - 1}"]
    assert ("arm-0" in page.folded) == folded
    assert (f"{len(pairs)} pairs" in page.folded) == folded


def ranks_of(names: Sequence[str], **changes: Any) -> dict[str, Any]:
    ranks = {name: 1.0 + i for i, name in enumerate(names)}
    return {
        "data_sets": ["sonnets", "alice"], "order": list(names), "ranks": ranks, "statistic": 3.0, "p": 0.04,
        "critical": 1.5, "cliques": [list(names[:2])], "verdict": "A verdict on ranks.",
    } | changes  # fmt: skip


def test_pictures_say_in_words_what_they_show(three: dict[str, Any]) -> None:
    three["arms"][1]["pareto"]["parameters"] = False
    ranks = ranks_of(["cell=gru", "cell=lstm", "<rnn>"])
    page = Page(study.page("cells", three, BITS, ranks))
    assert "A verdict on ranks." in page.text and "(sonnets, alice)" in page.text
    said = [str(image["alt"]) for image in page.images]
    assert said == [
        "best first: cell=gru 1.500, cell=lstm 1.750, <rnn> 2.000",
        "Bits per character against parameters; on the Pareto front: cell=gru, <rnn>",
        "Bits per character against seconds of training; on the Pareto front: ",
        "Bits per character against MB of memory at the peak; on the Pareto front: cell=gru, cell=lstm, <rnn>",
        "mean ranks: cell=gru 1.00, cell=lstm 2.00, <rnn> 3.00",
    ]
    assert all(str(image["src"]).startswith("data:image/png;base64,") for image in page.images)


def test_a_cost_that_is_unknown_has_no_picture(three: dict[str, Any]) -> None:
    three["arms"][2] |= {"memory": None, "pareto": {"parameters": True, "seconds": True, "memory": None}}
    names = [e.name for e in study.elements(three, BITS) if isinstance(e, Picture)]
    assert names == ["means", "against-parameters", "against-seconds"]


def test_one_arm_has_no_pairs_and_no_front() -> None:
    found = study.elements(study_of([arm("a", 1.0)], []), BITS)
    assert [e.title for e in found] == ["Arms", "Test bits per character"]


def colours(picture: Picture) -> dict[tuple[int, ...], int]:
    image = Image.open(io.BytesIO(picture.png)).convert("RGB")
    values, counts = np.unique(np.asarray(image).reshape(-1, 3), axis=0, return_counts=True)
    return dict(zip(map(tuple, values.tolist()), counts.tolist(), strict=True))


BLUE = (0, 114, 178)


def near(found: Mapping[tuple[int, ...], int], colour: tuple[int, ...]) -> int:
    """Pixels of about this colour."""
    return sum(
        count for value, count in found.items() if max(abs(a - b) for a, b in zip(value, colour, strict=True)) < 25
    )


def test_the_best_arms_and_the_pareto_front_are_blue(three: dict[str, Any]) -> None:
    for name in ("none", "cell=gru"):
        drawn = near(colours(study_pictures.means(three | {"best": [name]}, BITS)), BLUE)
        assert (drawn > 50) == (name == "cell=gru")
    assert near(colours(study_pictures.against_cost(three, BITS, "parameters")), BLUE) > 50
    for row in three["arms"]:
        row["pareto"]["parameters"] = False
    assert near(colours(study_pictures.against_cost(three, BITS, "parameters")), BLUE) == 0


@pytest.mark.parametrize("count", [2, 12])
def test_pictures_of_few_and_many_arms_with_equal_or_far_values(count: int) -> None:
    arms = [
        arm(
            f"cell=long_name_{i} units={i} dropout=0.25 x{count}",
            1.0 if i % 2 else 2.0**i,
            parameters=10 ** (i % 7),
        )
        for i in range(count)
    ]
    found = study_of(arms, [pair("a", "b")])
    names = [row["name"] for row in arms]
    pictures = [e for e in study.elements(found, BITS, ranks_of(names, critical=count + 3.0)) if isinstance(e, Picture)]
    for picture in pictures:
        width, height = Image.open(io.BytesIO(picture.png)).size
        assert width == (1468 if picture.wide else 720) and 200 < height < 2_000, picture.name


@pytest.mark.parametrize("y", [[1.0, 1.0, 1.0], [9.0, 8.9, 0.0, 0.1], [0.0, 10.0], [5.0, 4.9, 5.1, 5.0, 0.0, 10.0]])
def test_names_next_to_a_chart_are_apart_and_in_the_order_of_their_points(y: list[float]) -> None:
    axes = Figure().subplots()
    axes.set_ylim(0, 10)
    study_pictures.label_points(axes, [str(i) for i in range(len(y))], [1.0] * len(y), y)
    places = {int(text.get_text()): text.xyann[1] for text in axes.texts}
    assert len(places) == len(y)
    order = sorted(places, key=lambda i: places[i])
    assert [y[i] for i in order] == sorted(y)
    assert min(np.diff(sorted(places.values()))) >= study_pictures.GAP - 1e-9
    assert max(places.values()) <= 1
    assert max(abs(places[i] - y[i] / 10) for i in places) <= study_pictures.GAP * (len(y) - 1)


@written
def test_the_markdown_has_the_verdict_and_the_tables(three: dict[str, Any]) -> None:
    text = study.markdown("cells", three, BITS, ranks_of(["a", "b"]))
    assert text.startswith("# cells\n\nA <b> verdict.\n\nA verdict on ranks.\n")
    assert "| **cell=gru** | 1.500 ± 0.010 |" in text
    assert re.search(r"\| cell=gru \| cell=lstm \| −0\.25 \|", text)
