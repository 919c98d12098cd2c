"""Mistakes in the rows of `studies`: each with its key, what was found and what would be right."""

import re
from pathlib import Path

import pytest

from pipeline.config.loading import ConfigError, load
from pipeline.sources import SOURCES

PROJECT = """\
seed: 42
edition: published
cell: null
sources: {{alice: {{reader: alice}}, umich: {{reader: umich}}}}
own: {{}}
datasets: {{alice: {{source: alice, task: char_lm}}, umich: {{source: umich, task: sentiment}}}}
experiments: {{alice: {{dataset: alice, task: char_lm}}, umich: {{dataset: umich, task: sentiment}}}}
studies:
  cells: {{{row}}}
"""
GOOD = "experiment: alice, vary: {cell: [gru, lstm]}, seeds: 2"
MISTAKES = {
    "unknown experiment": (
        "experiment: bob, vary: {cell: [gru]}",
        r"cells\.experiment: found 'bob'; known: alice, umich",
    ),
    "unknown key": (f"{GOOD}, seed: 3", r"studies\.cells\.seed: unknown key; did you mean seeds\?"),
    "unknown setting": (
        "experiment: alice, vary: {sell: [gru]}",
        r"vary\.sell: no setting that char_lm can vary; known: .*cell",
    ),
    "setting of another task": (
        "experiment: alice, vary: {pool_steps: [2]}",
        r"vary\.pool_steps: no setting that char_lm",
    ),
    "what is no choice": ("experiment: alice, vary: {dataset: [umich]}", r"vary\.dataset: no setting that char_lm can"),
    "workers, which change no result": (
        "experiment: alice, vary: {workers: [1, 2]}",
        r"vary\.workers: no setting that char_lm can vary",
    ),
    "unknown value": ("experiment: alice, vary: {cell: [gru, gruu]}", r"vary\.cell: found 'gruu'; input should be"),
    "value of the wrong kind": ("experiment: alice, vary: {units: [16, '32']}", r"vary\.units: found '32'; .*integer"),
    "a value twice": ("experiment: alice, vary: {units: [16, 16]}", r"vary\.units: found \[16, 16\], a value twice"),
    "nothing to vary": ("experiment: alice, vary: {}", r"studies\.cells\.vary: found \{\} .*at least 1"),
    "no values": ("experiment: alice, vary: {units: []}", r"cells\.vary\.units: found \[\] .*at least 1"),
    "no seeds": ("experiment: alice, vary: {cell: [gru]}, seeds: 0", r"studies\.cells\.seeds: found 0 .*or equal to 1"),
    "unknown match": (f"{GOOD}, match: size", r"match: found 'size'; known: 'units', 'parameters' or 'seconds'"),
    "units that are varied and chosen": (
        "experiment: alice, vary: {units: [16, 32]}, match: parameters",
        r"match: found 'parameters', which chooses the units of each arm, but vary has units; set match: units",
    ),
    "epochs that are varied and chosen": (
        "experiment: alice, vary: {epochs: [1, 2]}, match: seconds",
        r"match: found 'seconds', which chooses the epochs",
    ),
    "values that exclude each other": (
        "experiment: umich, vary: {stateful: [true, false]}",
        r"studies\.cells\.vary\.stateful: sentiment has no streams|stateful and bidirectional exclude",
    ),
    "a block that is none": (f"{GOOD}, synthetic: 3", r"studies\.cells\.synthetic: found 3; a block of settings"),
    "a mistake in a block": (f"{GOOD}, synthetic: {{seeds: 0}}", r"studies\.cells\.synthetic\.seeds: found 0 "),
}


def project(tmp_path: Path, row: str) -> Path:
    (tmp_path / "params.yaml").write_text(PROJECT.format(row=row))
    return tmp_path


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(tmp_path: Path, name: str) -> None:
    row, said = MISTAKES[name]
    with pytest.raises(ConfigError) as caught:
        load(project(tmp_path, row), SOURCES)
    assert re.search(said, str(caught.value)), str(caught.value)


def test_a_good_row(tmp_path: Path) -> None:
    study = load(project(tmp_path, GOOD), SOURCES).studies["cells"]
    assert (study.match, study.seeds, study.combinations) == ("units", 2, [{"cell": "gru"}, {"cell": "lstm"}])


def test_a_block_replaces_settings_in_the_synthetic_edition(tmp_path: Path) -> None:
    root = project(tmp_path, f"{GOOD}, synthetic: {{seeds: 1, vary: {{units: [4, 8]}}}}")
    assert load(root, SOURCES).studies["cells"].seeds == 2
    text = (root / "params.yaml").read_text().replace("published", "synthetic")
    (root / "params.yaml").write_text(text)
    study = load(root, SOURCES).studies["cells"]
    assert (study.seeds, study.combinations) == (1, [{"units": 4}, {"units": 8}])


def test_a_name_that_a_data_set_has(tmp_path: Path) -> None:
    text = PROJECT.format(row=GOOD).replace("  cells:", "  alice:")
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"studies\.alice: the name is taken by a data set; choose another"):
        load(tmp_path, SOURCES)


def test_a_data_set_named_like_the_section_of_a_study(tmp_path: Path) -> None:
    ours = "{study-cells: {source: alice, task: char_lm}, alice: {source"
    text = PROJECT.format(row=GOOD).replace("{alice: {source", ours)
    text = text.replace("experiments: {", "experiments: {other: {dataset: study-cells, task: char_lm}, ")
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(
        ConfigError, match=r"datasets\.study-cells: the name is taken by studies\.cells; choose another"
    ):
        load(tmp_path, SOURCES)
