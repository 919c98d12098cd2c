"""Recipes, defaults and the textbook's file: which value wins, and where a mistake is said to be."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from ruamel.yaml import YAML

from pipeline.config import defaults, loading, plain_yaml
from pipeline.config.files import MAIN, SYNTHETIC, TEXTBOOK, block
from pipeline.config.schema.datasets import DatasetRows
from pipeline.config.schema.networks import ExperimentRows
from pipeline.config.schema.values import Edition, WithDefaults
from pipeline.errors import ConfigError
from pipeline.sources import SOURCES

ROWS: dict[str, Any] = {
    "seed": 42,
    "edition": "synthetic",
    "cell": None,
    "sources": {"alice": {"reader": "alice"}},
    "own": {},
    "studies": {},
    "tunings": {},
    "recipes": {"small": {"units": 8, "epochs": 2}},
    "datasets": {"alice": {"source": "alice", "task": "char_lm"}},
    "experiments": {
        "alice": {"dataset": "alice", "task": "char_lm", "recipe": "small"},
        "longer": {"dataset": "alice", "task": "char_lm", "recipe": "small", "epochs": 5},
    },
}
CHAPTER: dict[str, Any] = {
    "recipes": {"windows": {"units": 4}},
    "datasets": {"alice-chapter": {"source": "alice", "task": "textbook/char_windows"}},
    "experiments": {
        "alice-chapter": {"dataset": "alice-chapter", "task": "textbook/char_windows", "recipe": "windows"},
    },
}


def project(folder: Path, main: dict[str, Any] = ROWS, textbook: dict[str, Any] | None = None) -> Path:
    """A project folder with DVC's stages, which look recipes and tasks up."""
    (folder / "dvc.yaml").touch()
    (folder / MAIN).write_text(json.dumps(main))
    if textbook is not None:
        (folder / TEXTBOOK).parent.mkdir()
        (folder / TEXTBOOK).write_text(json.dumps(textbook))
    return folder


def changed(rows: dict[str, Any], *place: str, to: Any) -> dict[str, Any]:
    """A copy of the rows with another value at the place."""
    copy = json.loads(json.dumps(rows))
    table = copy
    for key in place[:-1]:
        table = table.setdefault(key, {})
    table[place[-1]] = to
    return copy


def refused(folder: Path, main: dict[str, Any] = ROWS, textbook: dict[str, Any] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        loading.load(project(folder, main, textbook), SOURCES)
    return str(caught.value)


def test_defaults_yield_to_the_recipe_and_the_recipe_to_the_row(tmp_path: Path) -> None:
    experiments: dict[str, Any] = dict(loading.load(project(tmp_path), SOURCES).experiments)
    assert [row.batch_size for row in experiments.values()] == [defaults.of("experiments", "char_lm")["batch_size"]] * 2
    assert [row.units for row in experiments.values()] == [8, 8]
    assert [row.epochs for row in experiments.values()] == [2, 5]


def test_a_default_of_the_task_wins_over_that_of_all_tasks() -> None:
    assert defaults.of("experiments", None)["optimizer"] == "adam"
    assert defaults.of("experiments", "cosine_windows")["optimizer"] == "sgd"
    assert defaults.of("datasets", "char_windows")["protocol"] == "textbook"


@pytest.mark.parametrize("row", [*get_args(DatasetRows), *get_args(ExperimentRows)], ids=lambda row: row.__name__)
def test_every_setting_has_its_default_in_the_file_alone(row: type[WithDefaults]) -> None:
    (task,) = get_args(row.model_fields["task"].annotation)
    assert all(field.is_required() for field in row.model_fields.values())
    required = {"task", "dataset"} if row.table == "experiments" else {"task", "source"}
    required |= {"tokens"} if task == "padded_texts" and row.table == "datasets" else set()
    assert defaults.of(row.table, task).keys() == row.model_fields.keys() - required
    names = {"dataset": "d", "source": "s", "tokens": "nltk", "task": task}
    made = row(**{name: value for name, value in names.items() if name in required})
    assert {name: value for name, value in made.model_dump(mode="json").items() if name not in required} == (
        defaults.of(row.table, task)
    )


def test_the_blocks_of_the_defaults_are_the_tasks() -> None:
    blocks = plain_yaml.read(defaults.PATH, "defaults.yaml")[0]
    tasks = Path(defaults.PATH).parents[1] / "tasks"
    for name in {*blocks["experiments"], *blocks["datasets"]} - {"common"}:
        assert (tasks / name / "prepare.py").is_file()
    assert blocks["experiments"].keys() == blocks["datasets"].keys()


# What is wrong, and what the message says of it.
MISTAKES: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "a value in a recipe": (
        ("recipes", "small", "units"),
        0,
        "recipes.small.units: found 0 (int); input should be great",
    ),
    "a key in a recipe": (("recipes", "small", "unitz"), 3, "recipes.small.unitz: unknown key; did you mean units?"),
    "a renamed key in a recipe": (("recipes", "small", "batch"), 3, "recipes.small.batch: is now called batch_size"),
    "two settings that exclude each other": (
        ("recipes", "small", "bidirectional"),
        True,
        "recipes.small.bidirectional: char_lm predicts the future",
    ),
    "a value in a row": (("experiments", "longer", "units"), 0, "experiments.longer.units: found 0"),
    "no recipe": (
        ("experiments", "alice"),
        {"dataset": "alice", "task": "char_lm"},
        "experiments.alice.recipe: missing; known: small; or write `recipe: none`, and `none: {}` under recipes",
    ),
    "an unknown recipe": (
        ("experiments", "alice", "recipe"),
        "smal",
        "experiments.alice.recipe: found 'smal'; known: small",
    ),
    "a recipe that is no name": (("experiments", "alice", "recipe"), ["small"], "experiments.alice.recipe: found ['sm"),
    "a recipe that nobody uses": (("recipes", "large"), {"units": 9}, "recipes.large: no experiment uses it; add one"),
    "a setting in a recipe's synthetic block": (
        ("recipes", "small", "synthetic"),
        {"units": 0},
        "recipes.small.synthetic.units: found 0 (int); input should be great",
    ),
    "a key in a row's synthetic block": (
        ("experiments", "longer", "synthetic"),
        {"epoch": 3},
        "experiments.longer.synthetic.epoch: unknown key; did you mean epochs?",
    ),
    "a synthetic block that is none": (
        ("recipes", "small", "synthetic"),
        5,
        "recipes.small.synthetic: found 5; a block of settings, such as {epochs: 5}",
    ),
    "what cannot differ by edition": (
        ("recipes", "small", "synthetic"),
        {"task": "char_lm"},
        "recipes.small.synthetic.task: holds in both editions; write it outside the block",
    ),
    "the setting before blocks": (
        ("recipes", "small", "synthetic_epochs"),
        3,
        "recipes.small.synthetic_epochs: is now called epochs, in the block synthetic",
    ),
    "a recipe that is no row": (("recipes", "small"), 3, "recipes.small: found 3 (int)"),
    "recipes that are no table": (("recipes",), [1], "recipes: found [1] (list)"),
    "what dvc.yaml looks up": (
        ("recipes", "small", "task"),
        "char_lm",
        "recipes.small.task: belongs in the rows of experiments",
    ),
    "a task without its folder": (
        ("datasets", "alice", "task"),
        "char_windows",
        "datasets.alice.task: found 'char_windows'; write 'textbook/char_windows', its folder in pipeline/tasks",
    ),
}


@pytest.mark.parametrize("edition", get_args(Edition))
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_where_it_is_written(name: str, edition: str, tmp_path: Path) -> None:
    place, value, sentence = MISTAKES[name]
    message = refused(tmp_path, changed({**ROWS, "edition": edition}, *place, to=value))
    assert message.startswith("params.yaml: ")
    lines = [line for line in message.splitlines() if line.startswith(f"  {sentence}")]
    assert len(lines) == 1, message


def test_the_synthetic_edition_replaces_settings_of_recipe_and_row(tmp_path: Path) -> None:
    rows = changed(ROWS, "recipes", "small", "synthetic", to={"units": 3, "epochs": 1})
    rows = changed(rows, "experiments", "longer", "synthetic", to={"epochs": 7, "dropout": 0.5})
    seen = {}
    for edition in get_args(Edition):
        (tmp_path / edition).mkdir()
        params = loading.load(project(tmp_path / edition, {**rows, "edition": edition}), SOURCES)
        experiments: dict[str, Any] = dict(params.experiments)
        seen[edition] = [(row.units, row.epochs, row.dropout) for row in experiments.values()]
        reduced = {"units": 3, "epochs": 7, "dropout": 0.5} if edition == "synthetic" else {}
        assert params.reduced("longer") == reduced
    assert seen == {"synthetic": [(3, 1, 0.0), (3, 7, 0.5)], "published": [(8, 2, 0.0), (8, 5, 0.0)]}


def test_a_mistake_in_both_editions_is_said_once(tmp_path: Path) -> None:
    rows = changed(ROWS, "experiments", "longer", "units", to=0)
    message = refused(tmp_path, changed(rows, "recipes", "small", "synthetic", to={"epochs": 0}))
    assert [line.split(":")[0] for line in message.splitlines()[1:]] == [
        "  experiments.longer.units",
        "  recipes.small.synthetic.epochs",
    ]


def test_a_recipe_that_shares_nothing_may_be_unused(tmp_path: Path) -> None:
    loading.load(project(tmp_path, changed(ROWS, "recipes", "none", to={})), SOURCES)


def test_without_dvcs_stages_neither_recipe_nor_folder_is_needed(tmp_path: Path) -> None:
    rows = {"alice": {"dataset": "alice", "task": "char_windows"}}
    main = {**changed(ROWS, "datasets", "alice", "task", to="char_windows"), "experiments": rows, "recipes": {}}
    (tmp_path / MAIN).write_text(json.dumps(main))
    assert loading.load(tmp_path, SOURCES).experiments["alice"].task == "char_windows"


# The textbook's file.


def test_both_files_are_one(tmp_path: Path) -> None:
    params = loading.load(project(tmp_path, ROWS, CHAPTER), SOURCES)
    row: Any = params.experiments["alice-chapter"]
    assert (row.task, row.units) == ("char_windows", 4)
    assert params.datasets["alice-chapter"].protocol == "textbook"
    assert params.datasets_of(MAIN) == ["alice"]
    assert params.datasets_of(TEXTBOOK) == ["alice-chapter"]
    assert params.stage("train", "alice") == "train@alice"
    assert params.stage("report", "alice-chapter") == "textbook/dvc.yaml:report@alice-chapter"
    assert params.stage("download", "alice") == "download@alice"
    assert params.files.row("experiments", "alice-chapter") == CHAPTER["experiments"]["alice-chapter"]


def test_seed_edition_and_cell_of_the_main_file_hold_for_both(tmp_path: Path) -> None:
    params = loading.load(project(tmp_path, changed(ROWS, "cell", to="lstm"), CHAPTER), SOURCES)
    assert {params.experiment(name).cell for name in params.experiments} == {"lstm"}
    (tmp_path / "other").mkdir()
    message = refused(tmp_path / "other", ROWS, {**CHAPTER, "seed": 7})
    assert message == (
        "textbook/params.yaml: 1 mistake\n  seed: belongs in params.yaml, whose value holds for both files"
    )


def test_without_the_folder_the_project_works(tmp_path: Path) -> None:
    params = loading.load(project(tmp_path), SOURCES)
    assert (params.datasets_of(TEXTBOOK), params.datasets_of(MAIN)) == ([], ["alice"])


@pytest.mark.parametrize("table", ["sources", "recipes", "datasets", "experiments"])
def test_names_are_unique_across_both_files(table: str, tmp_path: Path) -> None:
    name, row = next(iter(ROWS[table].items()))
    message = refused(tmp_path, ROWS, changed(CHAPTER, table, name, to=row))
    assert f"  {table}.{name}: the name is taken in params.yaml; choose another" in message.splitlines()
    assert "textbook/params.yaml: " in message


def test_mistakes_of_each_file_stand_below_its_name(tmp_path: Path) -> None:
    main = changed(ROWS, "experiments", "alice", "units", to=0)
    message = refused(tmp_path, main, changed(CHAPTER, "recipes", "windows", "units", to=0))
    first, second, third, fourth = message.splitlines()
    assert (first, third) == ("params.yaml: 1 mistake", "textbook/params.yaml: 1 mistake")
    assert second.startswith("  experiments.alice.units: found 0")
    assert fourth.startswith("  recipes.windows.units: found 0")


def test_the_main_file_works_without_the_other(tmp_path: Path) -> None:
    textbook = changed(CHAPTER, "sources", to={"sonnets": {"reader": "sonnets"}})
    main = changed(ROWS, "datasets", "poems", to={"source": "sonnets", "task": "char_lm"})
    row = {"dataset": "alice-chapter", "task": "char_lm", "recipe": "windows"}
    message = refused(tmp_path, changed(main, "experiments", "poems", to=row), textbook)
    assert "  datasets.poems.source: found 'sonnets'; known: alice" in message
    assert "  experiments.poems.dataset: found 'alice-chapter'; known: alice, poems" in message
    assert "  experiments.poems.recipe: found 'windows'; known: small" in message


def test_pinned_the_recipes_of_this_project_share_what_they_say(tmp_path: Path) -> None:
    """A recipe's setting that every one of its experiments overrides would mislead whoever turns it."""
    root = Path(__file__).parents[2]
    for path in [path for path in (root / MAIN, root / TEXTBOOK) if path.is_file()]:
        content = YAML(typ="safe", pure=True).load(path)
        for name, recipe in (content.get("recipes") or {}).items():
            rows = [row for row in content["experiments"].values() if row["recipe"] == name]
            blocks = [block(row) for row in rows]
            assert not [k for k in recipe if k != SYNTHETIC and rows and all(k in row for row in rows)], name
            assert not [k for k in block(recipe) if rows and all(k in other for other in blocks)], name
