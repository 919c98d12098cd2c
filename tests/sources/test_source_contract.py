"""The contract that every source of the table meets: synthetic files, records and cards."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import pipeline.sources
from pipeline.encoding.records import Images, LabelledTexts, Record, Series, TaggedSentences, TextCorpus
from pipeline.errors import ConfigError, DataError
from pipeline.sources import OWN_READERS, SOURCES, load_own_reader, load_source
from pipeline.synthesis import optimum

RECORDS = {
    "cosine": Series,
    "alice": TextCorpus,
    "sonnets": TextCorpus,
    "shakespeare": TextCorpus,
    "warpeace": TextCorpus,
    "umich": LabelledTexts,
    "treebank": TaggedSentences,
    "electricity": Series,
    "djia": Series,
    "nasdaq": Series,
    "msft": Series,
    "cifar10": Images,
    "digits": Images,
    "imdb": LabelledTexts,
}
NOT_SOURCES = {
    "__init__",
    "card",
    "archive",
    "daily_prices",
    "heated_house",
    "optimum",
    "own_file",
    "plain_text",
    "own_grid",
    "own_numbers",
    "own_rows",
    "own_times",
}


def _bytes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def _files(folder: Path) -> list[Path]:
    """Return the files in the published format, without what the best possible predictor says of them."""
    return [path for path in folder.iterdir() if path.name != optimum.FILE]


def _is_valid(record: Record) -> bool:
    match record:
        case TextCorpus():
            return len(record.text) > 10_000 and "\r" not in record.text and not record.text.startswith("\ufeff")
        case LabelledTexts():
            balance = record.labels.mean()
            return record.labels.dtype == np.int32 and len(record.labels) == len(record.texts) and 0.3 < balance < 0.7
        case TaggedSentences():
            fits = [len(w) == len(t) > 0 for w, t in zip(record.words, record.tags, strict=True)]
            return all(fits) and len(record.documents) == len(fits) and len(set(record.documents)) > 10
        case Series():
            return record.values.dtype == np.float64 and record.values.shape == record.valid.shape
        case Images():
            shape = record.pixels.shape
            return record.pixels.dtype == np.uint8 and len(shape) == 4 and len(set(record.labels.tolist())) == 10


def test_the_contract_covers_the_table_and_the_folder() -> None:
    assert set(RECORDS) == set(SOURCES)
    stems = {path.stem for path in Path(pipeline.sources.__file__).parent.glob("*.py")}
    known = set(SOURCES) | set(OWN_READERS)
    assert known == stems - NOT_SOURCES
    assert all(module == f"pipeline.sources.{name}" for name, module in (SOURCES | OWN_READERS).items())


@pytest.mark.parametrize("name", SOURCES)
def test_synthetic_files_are_deterministic_and_readable(name: str, tmp_path: Path) -> None:
    source = load_source(name)
    for run in ("first", "second"):
        source.synthesize(tmp_path / run, 42)
    assert _bytes(tmp_path / "first") == _bytes(tmp_path / "second")
    record = source.read(tmp_path / "first")
    assert type(record) is RECORDS[name]
    assert _is_valid(record)
    assert all(type(count) is int and count >= 0 for count in record.findings.values())
    assert record.findings
    json.dumps(dict(record.findings))


@pytest.mark.parametrize("name", SOURCES)
def test_another_seed_gives_other_files_unless_computed(name: str, tmp_path: Path) -> None:
    source = load_source(name)
    source.synthesize(tmp_path / "a", 1)
    source.synthesize(tmp_path / "b", 2)
    assert source.GENERATED is (_bytes(tmp_path / "a") == _bytes(tmp_path / "b"))


@pytest.mark.parametrize("name", SOURCES)
def test_card_is_complete(name: str) -> None:
    source = load_source(name)
    card = source.CARD
    for field in dataclasses.fields(card):
        assert getattr(card, field.name) or field.name in ("how_to_get", "folder"), field.name
    assert card.homepage.startswith("https://")
    files = [file for form in card.forms for file in form]
    assert bool(files) != source.GENERATED
    for file in files:
        pinned = file.sha256 or (file.member and file.member_sha256)
        assert pinned, file.name
        assert len(pinned) == 64
        assert file.magic
        assert file.url is None or file.url.startswith("https://")


@pytest.mark.parametrize("name", [name for name in SOURCES if not load_source(name).GENERATED])
def test_the_synthetic_file_has_the_name_and_the_beginning_of_the_first_form(name: str, tmp_path: Path) -> None:
    source = load_source(name)
    source.synthesize(tmp_path, 3)
    assert [path.name for path in _files(tmp_path)] == [file.name for file in source.CARD.forms[0]]
    for file in source.CARD.forms[0]:
        assert (tmp_path / file.name).read_bytes().startswith(file.magic)


@pytest.mark.parametrize("name", SOURCES)
def test_missing_and_empty_files_are_named(name: str, tmp_path: Path) -> None:
    source = load_source(name)
    with pytest.raises(DataError, match=r"found no file, expected .*; run the download again"):
        source.read(tmp_path)
    source.synthesize(tmp_path, 1)
    (path,) = _files(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=rf"{path.name}: the file is empty \(0 bytes\)"):
        source.read(tmp_path)


# A reader cannot tell that a plain text was truncated; the checksum at the download does.
PLAIN = {"cosine", "umich", "nasdaq", "sonnets", "shakespeare", "warpeace"}


@pytest.mark.parametrize("name", sorted(SOURCES.keys() - PLAIN))
def test_a_file_cut_in_the_middle_is_refused(name: str, tmp_path: Path) -> None:
    source = load_source(name)
    source.synthesize(tmp_path, 1)
    (path,) = _files(tmp_path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=path.name):
        source.read(tmp_path)


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="unknown source 'alcie'; known: cosine, alice, sonnets"):
        load_source("alcie")
    with pytest.raises(ConfigError, match="unknown own-data reader 'csv'; known: own_text"):
        load_own_reader("csv")
