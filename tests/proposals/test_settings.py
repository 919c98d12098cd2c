"""The settings that are proposed: valid for every size, and the same as those of the how-to pages and of README."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config.schema.networks import (
    CharLmNetwork,
    ForecastingNetwork,
    PosTaggingNetwork,
    ReturnsNetwork,
    SentimentNetwork,
)
from pipeline.proposals import settings
from tests.clone import ROOT

SIZES = (0, 1_000, 19_999, 20_001, 300_001, 5_000_000)


@pytest.mark.parametrize("size", SIZES)
def test_every_network_is_valid(size: int) -> None:
    for task, row, found in (
        ("char_lm", CharLmNetwork, settings.text_network(size)),
        ("sentiment", SentimentNetwork, settings.labelled_network(size, 200.0)),
        ("pos_tagging", PosTaggingNetwork, settings.tagged_network(size)),
        ("forecasting", ForecastingNetwork, settings.series_network(size)),
        ("returns", ReturnsNetwork, settings.prices_network(size)),
    ):
        row.model_validate({"dataset": "x", "task": task, **found})


def test_larger_data_get_larger_networks_and_larger_batches() -> None:
    networks = [settings.text_network(size) for size in SIZES]
    assert [one["units"] for one in networks] == sorted(one["units"] for one in networks)
    assert [one["batch_size"] for one in networks] == sorted(one["batch_size"] for one in networks)
    for steps in (20, 60, 100, 200, 5_000):
        network = settings.series_network(steps)
        assert network["batch_size"] * network["time_steps"] < steps, "a batch is filled"
    assert settings.labelled_data(3_000, 12.0, split=False)["folds"] == 5
    assert "folds" not in settings.labelled_data(3_000, 12.0, split=True)
    long = settings.labelled_data(50_000, 200.0, split=False)
    assert long["max_features"] and "folds" not in long and long["cut"] == "both_ends"
    assert settings.labelled_network(50_000, 200.0)["batch_size"] == 128


def test_few_long_texts_hide_rare_features_more_often() -> None:
    data, network = settings.labelled_data(3_000, 200.0, split=False), settings.labelled_network(3_000, 200.0)
    assert (data["folds"], data["min_count"], data["cut"]) == (5, 2, "both_ends") and "max_features" not in data
    assert network["word_dropout"] == 5.0 and network["batch_size"] == 32
    assert "word_dropout" not in settings.labelled_network(50_000, 200.0)


@pytest.mark.parametrize(
    ("seconds", "months", "horizons", "seasons"),
    [
        (60, None, (1, 4, 1_440), (1_440, 10_080)),
        (900, None, (1, 4, 96), (96, 672)),
        (1_800, None, (1, 4, 48), (48, 336)),
        (3_600, None, (1, 24), (24, 168)),
        (4 * 3_600, None, (1, 6), (6, 42)),
        (86_400, None, (1, 7), (7,)),
        (7 * 86_400, None, (1, 4), (52,)),
        (30 * 86_400, None, (1,), ()),
        (None, 1, (1, 12), (12,)),
        (None, 3, (1, 4), (4,)),
        (None, 12, (1,), ()),
        (None, None, (1,), ()),
    ],
)
def test_horizons_and_seasons_of_a_spacing(
    seconds: int | None, months: int | None, horizons: tuple[int, ...], seasons: tuple[int, ...]
) -> None:
    assert settings.of_spacing(seconds, months) == (horizons, seasons)


def _shown(page: Path, start: str = "own:") -> list[dict[str, Any]]:
    """The tables of a page that begin with the row `start`."""
    blocks = re.findall(r"(?:^    .*\n)+", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [yaml.safe_load(re.sub(r"^    ", "", b, flags=re.MULTILINE)) for b in blocks if b.startswith(f"    {start}")]


NAMING = ("dataset", "source", "task", "recipe")


def _of(tables: dict[str, Any], table: str) -> dict[str, Any]:
    ((_, row),) = tables[table].items()
    return {key: value for key, value in row.items() if key not in NAMING}


NOVEL = 500_000  # characters; README and own-text.md are about a novel
PAGES: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "README.md": (settings.text_network(NOVEL), {"lowercase": False, "line_ends": "keep"}),
    "docs/own-text.md": (settings.text_network(NOVEL), {"lowercase": False, "line_ends": "keep"}),
    "docs/own-labelled.md": (settings.labelled_network(3_000, 20.0), settings.labelled_data(3_000, 20.0, split=False)),
    "docs/own-tagged.md": (settings.tagged_network(100_000), None),
    "docs/own-series.md": (settings.series_network(10_000), None),
}


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_show_what_is_proposed(page: str) -> None:
    network, data = PAGES[page]
    (tables,) = _shown(ROOT / page)
    assert _of(tables, "experiments") == network
    if data is not None:
        assert _of(tables, "datasets") == data


def test_the_page_of_prices_shows_what_is_proposed() -> None:
    tables = _shown(ROOT / "docs/own-series.md", "datasets:")[-1]
    assert _of(tables, "experiments") == settings.prices_network(8_000)
