"""Facts about the published files, which a mirror folder must hold: PIPELINE_MIRROR=… pytest -m real."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.download.verify import fault_of
from pipeline.sources import (
    SOURCES,
    alice,
    cifar10,
    djia,
    electricity,
    imdb,
    load_source,
    msft,
    nasdaq,
    treebank,
    umich,
)
from tests.mirror import MIRROR, needs_mirror

pytestmark = [pytest.mark.real, needs_mirror]


def _mirrored() -> Iterator[tuple[str, int, int]]:
    for name in SOURCES:
        for i, form in enumerate(load_source(name).CARD.forms):
            yield from ((name, i, j) for j in range(len(form)))


@pytest.mark.parametrize(("name", "form", "number"), list(_mirrored()))
def test_mirrored_files_are_the_pinned_ones(name: str, form: int, number: int) -> None:
    file = load_source(name).CARD.forms[form][number]
    path = MIRROR / (load_source(name).CARD.folder or name) / file.name
    if not path.exists():
        pytest.skip(f"the mirror has no {name}/{file.name}")
    assert path.read_bytes()[: len(file.magic)] == file.magic
    assert fault_of(path, file) is None


def test_alice_has_42_symbols_in_lower_case_ascii() -> None:
    text = alice.read(MIRROR / "alice").text
    assert len({c for c in text.lower() if c.isascii()} - {"\n"}) == 42
    assert text.startswith("Alice") or "CHAPTER I." in text[:2000]
    assert "GUTENBERG EBOOK" not in text


def test_umich_is_the_same_in_both_forms(tmp_path: Path) -> None:
    published = umich.read(MIRROR / "umich")
    assert len(published.texts) == 7_086
    assert np.bincount(published.labels).tolist() == [3_091, 3_995]
    assert published.findings["distinct_sentences"] == 1_410
    assert published.findings["repeated_lines"] == 5_675
    assert published.findings["sentences_with_both_labels"] == 1
    (tmp_path / umich.TWICE_ENCODED).write_bytes((MIRROR / "umich" / umich.TWICE_ENCODED).read_bytes())
    other = umich.read(tmp_path)
    assert other.texts == published.texts
    assert other.labels.tolist() == published.labels.tolist()
    assert other.findings["mojibake_lines_repaired"] == 103


def test_treebank_counts() -> None:
    record = treebank.read(MIRROR / "treebank")
    assert len(record.words) == 3_914
    assert record.findings["tokens"] == 100_676
    assert record.findings["traces_dropped"] == 6_592
    assert sum(map(len, record.words)) == 94_084
    assert len({tag for tags in record.tags for tag in tags}) == 45
    assert len(set(record.documents)) == 199
    assert max(map(len, record.words)) == 249


def test_electricity_masks_the_floor_and_the_doubled_hours() -> None:
    record = electricity.read(MIRROR / "electricity")
    assert len(record.values) == 140_256
    assert round(record.values.mean(), 3) == 78.063
    masked = record.values[~record.valid].reshape(8, 4)
    floor = record.values.min()
    assert (masked[[2, 4, 6]] == floor).all()
    assert (record.values[record.valid] > floor).all()
    october = np.flatnonzero(~record.valid).reshape(8, 4)[[3, 5, 7]]
    beside = (record.values[october - 4].mean(axis=1) + record.values[october + 4].mean(axis=1)) / 2
    assert (record.values[october].mean(axis=1) / beside > 1.6).all()


def test_cifar10_has_60000_images() -> None:
    record = cifar10.read(MIRROR / "cifar10")
    assert record.pixels.shape == (60_000, 32, 32, 3)
    assert record.is_test is not None
    assert np.bincount(record.labels[~record.is_test]).tolist() == [5_000] * 10
    assert np.bincount(record.labels[record.is_test]).tolist() == [1_000] * 10


@pytest.mark.parametrize(
    ("name", "characters", "symbols"),
    [("warpeace", 3_196_212, 82), ("shakespeare", 1_115_394, 65), ("sonnets", 94_019, 61)],
)
def test_plain_texts_have_their_characters(name: str, characters: int, symbols: int) -> None:
    source = load_source(name)
    text = source.read(MIRROR / (source.CARD.folder or name)).text
    assert (len(text), len(set(text))) == (characters, symbols)


def test_imdb_repeats_and_films_are_the_published_ones() -> None:
    record = imdb.read(MIRROR / "imdb")
    assert record.is_test is not None
    assert record.groups is not None
    for half in (record.is_test, ~record.is_test):
        assert np.bincount(record.labels[half]).tolist() == [12_500] * 2
        assert np.bincount(record.groups[half]).max() == 30
    assert sum(len(text.encode()) for text in record.texts) == 65_483_508
    assert sum("<br" in text for text in record.texts) == 29_200
    assert record.findings == {
        "reviews": 50_000,
        "exact_repeats": 418,
        "exact_repeats_in_train": 96,
        "exact_repeats_in_test": 199,
        "texts_in_train_and_test": 123,
        "films": 7_036,
        "films_in_train_and_test": 1,
    }


def test_prices_of_the_dow_jones_and_of_microsoft() -> None:
    dow, share = djia.read(MIRROR / "djia"), msft.read(MIRROR / "msft")
    assert dow.dates is not None and share.dates is not None
    assert dow.findings["days"] == 24_628 and share.findings["days"] == 1_509
    assert dow.findings["gaps_of_more_than_4_days"] == 8 and share.findings["gaps_of_more_than_4_days"] == 1
    first_half = (dow.dates >= np.datetime64("2023-01-01")) & (dow.dates <= np.datetime64("2023-06-30"))
    assert first_half.sum() == 124
    assert (share.values < share.covariates["close"]).all() and (dow.values == dow.covariates["close"]).all()


def test_the_file_of_a_chapter_on_the_dow_jones_is_the_nasdaq() -> None:
    """The chapter's R² must be compared with that of persistence: on its 119 test rows, and on the Dow Jones."""
    r_squared = {}
    for source in (djia, nasdaq):
        record = source.read(MIRROR / "djia")
        assert record.dates is not None
        days = (record.dates >= np.datetime64("2023-01-01")) & (record.dates <= np.datetime64("2023-06-30"))
        rows = np.flatnonzero(days)[4:-1]
        close = record.covariates["close"]
        assert len(rows) == 119
        r_squared[source.FILE] = 1 - np.mean(np.square(close[rows] - close[rows - 1])) / close[rows].var()
    assert r_squared == {djia.FILE: pytest.approx(0.8230, abs=1e-4), nasdaq.FILE: pytest.approx(0.9635, abs=1e-4)}
