"""params.yaml: every mistake is reported at once, with its key, what was found and what would be right."""

import contextlib
import re
import time
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
from dvc.utils.serialize import parse_yaml
from hypothesis import given, settings, strategies
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipeline.artifacts import Project
from pipeline.config import consistency, plain_yaml, renamed
from pipeline.config.consistency import FOLDERS, WINDOWS
from pipeline.config.loading import ConfigError, load
from pipeline.config.merging import QUESTIONS
from pipeline.config.schema.datasets import DatasetRows
from pipeline.config.schema.networks import ExperimentRows, by_hand
from pipeline.config.schema.params import GateRow, Params
from pipeline.config.schema.sources import OwnRows, SourceRow
from pipeline.config.schema.values import CELL_NAMES, MAX_NAME
from pipeline.sources import SOURCES
from pipeline.tasks import TASKS
from tests.shipped import SHIPPED, needs_rows
from tests.tasks.case import CASES

ROOT = Path(__file__).parents[2]
GOOD = """\
seed: 42
edition: synthetic
cell: null
sources:
  alice: {reader: alice}
own: {}
studies: {}
tunings: {}
datasets:
  alice: {source: alice, task: char_lm}
experiments:
  alice: {dataset: alice, task: char_lm, learning_rate: 0.003}
"""

# What is written, and what the message says of it.
MISTAKES = {
    "exponent without a point": ("learning_rate: 0.003", "learning_rate: 1e-3", r"learning_rate: .*'1e-3'.*0\.001"),
    "text for a number": ("seed: 42", "seed: '42'", r"seed: found '42' \(str\); .*integer"),
    "switch for text": ("cell: null", "cell: NO", r"cell: YAML readers disagree"),
    "octal": ("seed: 42", "seed: 010", r"seed: YAML readers disagree"),
    "unknown top-level key": ("seed: 42", "seed: 42\nsed: 1", r"sed: unknown key; did you mean seed\?"),
    "mistyped key": ("learning_rate", "learning_rat", r"experiments\.alice\.learning_rat: unknown key; did you mean l"),
    "unheard-of key": ("learning_rate", "zzz", r"experiments\.alice\.zzz: unknown key; known: .*batch"),
    "unknown cell": ("learning_rate", "cell: gruu, learning_rate", r"cell: found 'gruu'; known: 'simple_rnn', 'lstm'"),
    "too small": ("learning_rate", "units: 0, learning_rate", r"units: found 0 \(int\); .*greater than or equal to 1"),
    "too large": ("learning_rate", "epochs: 1000000000, learning_rate", r"epochs: found 1000000000 .*less than"),
    "negative": ("learning_rate: 0.003", "learning_rate: -1.0", r"learning_rate: found -1\.0"),
    "not a number": ("learning_rate: 0.003", "learning_rate: .nan", r"learning_rate: "),
    "infinite": ("learning_rate: 0.003", "learning_rate: .inf", r"learning_rate: found inf"),
    "missing": ("seed: 42\n", "", r"seed: missing"),
    "unknown task": ("task: char_lm}", "task: charlm}", r"datasets\.alice\.task: found 'charlm'; known: char_lm"),
    "task of another": (
        "dataset: alice, task: char_lm",
        "dataset: alice, task: sentiment",
        r"but datasets\.alice\.task is",
    ),
    "dropped weights in Keras": (
        "learning_rate",
        "weight_dropout: 0.2, kernel: keras, learning_rate",
        r"weight_dropout: .* set kernel: auto",
    ),
    "gradients of an ensemble": (
        "learning_rate",
        "ensemble: 2, gradients: true, learning_rate",
        r"ensemble: gradients are measured in one net",
    ),
    "unknown source": ("source: alice,", "source: alicee,", r"datasets\.alice\.source: found 'alicee'; known: alice"),
    "unknown reader": ("reader: alice", "reader: alicee", r"sources\.alice\.reader: found 'alicee'; known: .*umich"),
    "unknown dataset": ("dataset: alice,", "dataset: bob,", r"experiments\.alice\.dataset: found 'bob'; known: alice"),
    "own file that is not there": (
        "own: {}",
        "own: {mine: {path: my/book.txt}}",
        r"own\.mine\.path: no file 'my/book.txt'",
    ),
    "own reader": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_csv}}",
        r"own\.mine\.reader: found 'own_csv'; known: own_labelled, own_series, own_tagged, own_text",
    ),
    "mistyped key of own": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_series, time: a, value: b, covariate: [c]}}",
        r"own\.mine\.covariate: unknown key; did you mean covariates\?",
    ),
    "key of another own reader": (
        "own: {}",
        "own: {mine: {path: params.yaml, word: 2}}",
        r"known: encoding, files, gu",
    ),
    "missing key of own": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_labelled, label: 1}}",
        r"own\.mine\.text: missing",
    ),
    "own row that is none": ("own: {}", "own: {mine: my/book.txt}", r"own\.mine: found 'my/book\.txt' \(str\)"),
    "column zero": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_labelled, label: 1, text: 0, delimiter: ';'}}",
        r"1 mistake\n  own\.mine\.text: found 0 \(int\); a column is its name in the header, or its number from 1$",
    ),
    "delimiter": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_labelled, label: 1, text: 2, delimiter: x}}",
        r"own\.mine\.delimiter: found 'x'; known: ',', ';', '\\t' or '\|'",
    ),
    "no delimiter": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_labelled, label: 1, text: 2}}",
        r"own\.mine\.delimiter: missing; 'params\.yaml' ends in none of \.csv, \.tsv",
    ),
    "frequency": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_series, time: 1, value: 2, frequency: hourly}}",
        r"own\.mine\.frequency: found 'hourly' \(str\); expected s, min, h, D, W, M \(months\), Q or Y, and how many",
    ),
    "label that is a switch": (
        "own: {}",
        "own: {mine: {path: params.yaml, reader: own_labelled, label: 1, text: 2, labels: {no: bad, yes: good}}}",
        r"own\.mine\.labels: YAML readers disagree .*text in quotes",
    ),
    "name that is a number": ("  alice: {source", "  2024: {source", r"\.2024: found 2024 \(int\); .* in quotes"),
    "name with a line end": (
        "  alice: {source",
        '  "ali\\n": {source',
        r"datasets\.'ali\\n': found 'ali\\n' \(str\); a name has small letters",
    ),
    "name with half a letter": ("  alice: {source", '  "\\ud800": {source', r"found '\\ud800' \(str\)"),
    "path of 300 letters": (
        "own: {}",
        f"own: {{mine: {{path: {'x' * 300}}}}}",
        r"own\.mine\.path: no file .x+…; the",
    ),
    "path of 5,000 letters": ("own: {}", f"own: {{mine: {{path: {'x/' * 2500}}}}}", r"path: found .*at most 4000"),
    "path with a null byte": ("own: {}", 'own: {mine: {path: "my/\\0"}}', r"own\.mine\.path: no file 'my/\\x00'"),
    "path of the project": ("own: {}", "own: {mine: {path: .}}", r"own\.mine\.path: '\.' is the project's own folder"),
    "no path": ("own: {}", "own: {mine: {path: ''}}", r"own\.mine\.path: found ''"),
    "key of 3,000 letters": ("seed: 42", f"seed: 42\n? {'k' * 3000}\n: 1", r"\n  k{60}…: unknown key"),
    "key that readers read differently": ("seed: 42", "seed: 42\n<<: {a: 1}", r"\n  <<: YAML readers disagree"),
    "name with a space": ("  alice: {source", "  a lice: {source", r"a lice"),
    "alias": ("edition: synthetic", "edition: &e synthetic\nseed2: *e", r"aliases"),
    "duplicate key": ("seed: 42", "seed: 42\nseed: 43", r"not valid YAML"),
    "broken YAML": ("own: {}", "own: {", r"not valid YAML"),
    "python object": ("seed: 42", "seed: !!python/object:os.system {}", r"not valid YAML"),
    "bidirectional language model": ("learning_rate", "bidirectional: true, learning_rate", r"predicts the future"),
    "two ways to clip": ("learning_rate", "clip_norm: 1.0, clip_value: 1.0, learning_rate", r"choose one"),
    "epochs of no refit": ("learning_rate", "refit_epochs: 3, learning_rate", r"refit_epochs: without a refit"),
    "a vocabulary of no training part": (
        "task: char_lm}",
        "task: sentiment, folds: 2, max_features: 9}",
        r"datasets\.alice\.max_features: folds have no training part in common .*; folds must be 1",
    ),
    "renamed setting": (
        "learning_rate",
        "batch: 8, learning_rate",
        r"1 mistake\n  experiments\.alice\.batch: is now called batch_size$",
    ),
    "renamed setting of a data set": (
        "task: char_lm}",
        "task: forecasting, seasons: [24]}",
        r"datasets\.alice\.seasons: is now called seasonal_periods",
    ),
    "renamed edition": ("edition: synthetic", "edition: full", r"\n  edition: 'full' is now called 'published'$"),
    "renamed protocol": (
        "task: char_lm}",
        "task: char_lm, protocol: honest}",
        r"datasets\.alice\.protocol: 'honest' is now called 'held_out'",
    ),
    "own data of another kind": (
        GOOD[GOOD.index("own: {}") : GOOD.index("experiments")],
        "own: {mine: {path: params.yaml, reader: own_series, time: null, value: 1, delimiter: ';'}}\n"
        "datasets: {alice: {source: mine, task: sentiment}}\n",
        r"datasets\.alice\.task: found 'sentiment', but own\.mine is read by own_series, for forecasting or returns",
    ),
    "a free run of seasons": (
        "task: char_lm}",
        "task: forecasting, free_run: 5, seasonal_periods: [24]}",
        r"datasets\.alice: free_run continues .*; choose seasonal_periods or free_run",
    ),
    "changes from no season": (
        "task: char_lm}",
        "task: forecasting, base: season}",
        r"datasets\.alice\.base: found 'season', but the row has no seasonal_periods; add them, or take auto",
    ),
    "workers that cannot share the streams": (
        "learning_rate",
        "batch_size: 32, workers: 5, learning_rate",
        r"experiments\.alice\.workers: found 5, which must divide the 32 streams .*; the nearest .* is 4$",
    ),
    "more workers than streams": (
        "learning_rate",
        "batch_size: 8, workers: 16, learning_rate",
        r"found 16, which must divide the 8 streams \(batch_size\) .*; the nearest .* is 8$",
    ),
    "workers of another back end": (
        "learning_rate",
        "backend: jax, workers: 2, learning_rate",
        r"experiments\.alice\.workers: found 2, which needs backend tensorflow; it must be 1 with jax",
    ),
    "nothing to train on": ("task: char_lm}", "task: char_lm, test: 0.95}", r"leave nothing to train on"),
}


def named(table: str, name: str) -> str:
    """GOOD with the name for what is called alice there."""
    both = {"datasets": ("dataset: alice", f"dataset: {name}"), "sources": ("source: alice", f"source: {name}")}
    text = GOOD.replace(*both.get(table, ("", "")))
    return re.sub(rf"^({table}:\n  )alice", rf"\g<1>{name}", text, flags=re.MULTILINE)


def write(folder: Path, text: str) -> Path:
    (folder / "params.yaml").write_text(text)
    return folder


def test_the_projects_own_params_are_valid() -> None:
    params = load(Path(__file__).parents[2], SOURCES)
    assert {row.task for row in params.experiments.values()} == {row.task for row in params.datasets.values()}


@needs_rows(*SHIPPED)
def test_every_source_and_every_task_is_run_by_a_shipped_row() -> None:
    params = load(Path(__file__).parents[2], SOURCES)
    assert {row.reader for row in params.sources.values()} >= set(SOURCES)
    assert {row.task for row in params.experiments.values()} == set(TASKS)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_key(name: str, tmp_path: Path) -> None:
    before, after, message = MISTAKES[name]
    assert GOOD.count(before) >= 1
    with pytest.raises(ConfigError, match=message):
        load(write(tmp_path, GOOD.replace(before, after, 1)), SOURCES)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("seed: 42", "seed: x").replace("learning_rate: 0.003", "units: -1, cell: x, epohcs: 3")
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text), SOURCES)
    assert str(caught.value).startswith("params.yaml: 4 mistakes")
    assert len(re.findall(r"^  \S+: ", str(caught.value), re.MULTILINE)) == 4


@pytest.mark.parametrize(
    ("task", "former", "present"),
    [
        ("sentiment", "input_dropout", "spatial_dropout"),
        ("padded_texts", "input_dropout", "recurrent_input_dropout"),
        ("padded_tags", "dropout", "recurrent_input_dropout"),
    ],
)
def test_a_dropout_is_called_by_what_it_does_in_the_task(task: str, former: str, present: str, tmp_path: Path) -> None:
    text = GOOD.replace("task: char_lm", f"task: {task}").replace("learning_rate", f"{former}: 0.5, learning_rate")
    with pytest.raises(ConfigError, match=rf"experiments\.alice\.{former}: is now called {present}"):
        load(write(tmp_path, text), SOURCES)


def test_a_network_stored_under_former_names_is_read_by_the_present_ones() -> None:
    former = {"task": "padded_tags", "batch": 8, "average": 0.9, "keep": "best", "dropout": 0.1, "input_dropout": 0.2}
    present = {"task": "padded_tags", "batch_size": 8, "ema_momentum": 0.9, "restore_weights": "best"}
    present |= {"recurrent_input_dropout": 0.1, "spatial_dropout": 0.2}
    assert renamed.current(former) == renamed.current(present) == present
    unused = {"task": "forecasting", "batch": 8, "dropout": 0.1, "input_dropout": 0.0}
    assert renamed.current(unused) == {"task": "forecasting", "batch_size": 8, "dropout": 0.1}
    encoder = {"seasons": [24], "season_means": True, "latest": {"first": 0, "extras": [[1.0]]}}
    assert renamed.current_encoder(encoder) == {
        "seasonal_periods": [24],
        "seasonal_means": True,
        "latest": {"first": 0, "covariates": [[1.0]]},
    }


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_the_top_level_cell_swaps_every_experiment(cell: str, tmp_path: Path) -> None:
    params = load(write(tmp_path, GOOD.replace("cell: null", f"cell: {cell}")), SOURCES)
    assert params.experiment("alice").cell == cell


def test_too_large_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at most"):
        load(write(tmp_path, GOOD + "#" * plain_yaml.MAX_BYTES), SOURCES)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="run inside the project"):
        load(tmp_path, SOURCES)


# Names, from which paths are made.

TABLES = ("sources", "datasets", "experiments")


def _paths(project: Project, source: str, dataset: str, experiment: str) -> "list[Path]":
    """Every path of the project, with the names of a source, a data set and an experiment put in."""
    fixed = [getattr(project, name) for name, value in vars(Project).items() if isinstance(value, property)]
    methods = {name: value for name, value in vars(Project).items() if callable(value) and name[0] != "_"}
    names = {"source": source, "dataset": dataset, "experiment": experiment}
    filled = []
    for name, method in methods.items():
        wanted = method.__code__.co_varnames[1 : method.__code__.co_argcount]
        filled.append(getattr(project, name)(*(names.get(one, f"a-{one}") for one in wanted)))
    return [*fixed, *filled, project.section(dataset, textbook=True)]


def _neighbours(name: str, paths: "list[Path]") -> "set[str]":
    """What else there is, or may be, in the folders that have something of this name."""
    folders = [path.parts[: path.parts.index(name)] for path in paths if name in path.parts]
    parts = [path.parts for path in paths]
    return {p[len(f)] for f in folders for p in parts if p[: len(f)] == f and len(p) > len(f)} - {name}


@pytest.mark.fault("reserved-name")
def test_names_of_folders_are_refused(tmp_path: Path) -> None:
    paths = _paths(Project(Path("/p")), "a-source", "a-dataset", "an-experiment")
    assert len(paths) > 15
    taken = {table: _neighbours(name, paths) for table, name in zip(TABLES, _NAMES, strict=True)}
    code = "".join(path.read_text() for path in sorted((ROOT / "pipeline").rglob("*.py")))
    taken["datasets"] |= set(re.findall(r'"reports" / "([^"]+)"', code)) | {"plots"}  # DVC's out_dir
    taken["datasets"] = taken["datasets"] - {"a-table", "a-kind-a-name"} | set(QUESTIONS)
    assert "reports/plots" in (ROOT / ".dvc" / "config").read_text()
    possible = {table: {name for name in names if re.fullmatch(r"[a-z0-9_-]+", name)} for table, names in taken.items()}
    assert possible == {"sources": set(), "datasets": set(FOLDERS), "experiments": set()}
    for name in FOLDERS:
        with pytest.raises(ConfigError, match=rf"datasets\.{name}: the name is taken by a folder of reports"):
            load(write(tmp_path, named("datasets", name)), SOURCES)


_NAMES = ("a-source", "a-dataset", "an-experiment")


@pytest.mark.fault("reserved-name")
@pytest.mark.parametrize("table", TABLES)
def test_names_that_windows_has_no_files_for_are_refused(table: str, tmp_path: Path) -> None:
    assert {"con", "nul", "com1", "lpt9"} <= WINDOWS
    with pytest.raises(
        ConfigError, match=rf"params\.yaml: 1 mistake\n  {table}\.nul: Windows can have no file of that name"
    ):
        load(write(tmp_path, named(table, "nul")), SOURCES)


@pytest.mark.fault("long-name")
@pytest.mark.parametrize("table", TABLES)
def test_a_name_that_is_too_long_for_the_files_made_from_it_is_refused(table: str, tmp_path: Path) -> None:
    longest = "g" * MAX_NAME
    assert load(write(tmp_path, named(table, longest)), SOURCES)
    with pytest.raises(
        ConfigError, match=rf"{table}\.g{{60}}…: found 'g+… \(str\); string should have at most {MAX_NAME} char"
    ):
        load(write(tmp_path, named(table, longest + "g")), SOURCES)
    added = len(".textbook-dvc.yaml-preprocess@.01234567.old.tmp.lock.json") + 64  # a hash, too
    paths = _paths(Project(Path("/p")), longest, longest, longest)
    assert max(len(part) for path in paths for part in path.parts) + added <= 255


# Numbers.


def _rows() -> "list[type[BaseModel]]":
    return [Params, GateRow, SourceRow, *get_args(OwnRows), *get_args(DatasetRows), *get_args(ExperimentRows)]


@pytest.mark.fault("number-out-of-range")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -1, -0.5, 10**12, 1e300], ids=str)
def test_no_key_takes_a_number_that_nothing_can_be_done_with(value: float) -> None:
    tried = 0
    for row in _rows():
        for name, field in row.model_fields.items():
            kind: Any = field.annotation
            for metadata in field.metadata:
                kind = Annotated[kind, metadata]
            reader = TypeAdapter[Any](kind, config=None if _is_model(kind) else ConfigDict(strict=True))
            with contextlib.suppress(ValidationError):
                pytest.fail(f"{row.__name__}.{name} takes {reader.validate_python(value)}")
            tried += 1
    assert tried > 100


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


# Whatever is in the files.

ODD = [
    "", "~", "[", "]", "{", "}", "[]", "{}", ": ", "- ", "? ", "&a ", "*a", "!!int ", "!!set ", "!", "|", ">", "%", "`",
    "\t", "\n", "\r\n", "\0", "\x85", "\u2028", "\ufeff", "#", "'", '"', "---\n", "...\n", "<<: ", ".nan", ".inf", "-1",
    "010", "0x1F", "1:30", "NO", "true", "null", "2026-13-45", "9" * 40, "{a: {b: [c]}}", "[1, [2]]", "x" * 300, "é😀",
]  # fmt: skip
Edits = list[tuple[float, int, str]]
WRITTEN = strategies.sampled_from(ODD) | strategies.text(max_size=5)
EDIT = strategies.tuples(strategies.floats(0.0, 1.0), strategies.integers(0, 30), WRITTEN)
EDITS = strategies.lists(EDIT, min_size=1, max_size=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mutated")
    (root / "my").mkdir()
    (root / "my" / "book.txt").write_text("a book")
    return root


MORE = """\
own:
  mine: {path: my/book.txt}
recipes:
  small: {units: 4, synthetic: {epochs: 2}}
gate: {margin: 0.1}"""
MUTATED = GOOD.replace("own: {}", MORE)
MUTATED = MUTATED.replace("char_lm, learning_rate", "char_lm, recipe: small, synthetic: {units: 5}, learning_rate")
TEXTBOOK_ROWS = """\
datasets:
  theirs: {source: alice, task: textbook/char_windows, protocol: textbook, window: 10}
experiments:
  theirs: {dataset: theirs, task: textbook/char_windows, units: 4}
"""


def changed(text: str, edits: Edits) -> bytes:
    for place, length, new in edits:
        start = int(place * len(text))
        text = text[:start] + new + text[start + length :]
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.fault("malformed-params")
@pytest.mark.parametrize("file", ["params.yaml", "textbook/params.yaml"])
@settings(max_examples=20)
@given(edits=EDITS)
def test_any_file_is_read_or_refused(file: str, edits: Edits, folder: Path) -> None:
    (folder / "textbook").mkdir(exist_ok=True)
    (folder / "params.yaml").write_text(MUTATED)
    (folder / "textbook" / "params.yaml").write_text(TEXTBOOK_ROWS)
    load(folder, SOURCES)
    (folder / file).write_bytes(changed((folder / file).read_text(), edits))
    began = time.process_time()
    said = ""
    try:
        load(folder, SOURCES)
    except ConfigError as error:
        said = str(error)
    assert time.process_time() - began < 2.0
    assert all(len(line) < 800 for line in said.splitlines())
    if not said:  # DVC reads it in the same way
        text = (folder / file).read_text(encoding="utf-8")
        assert parse_yaml(text, file) == plain_yaml.read(folder / file, file)[0]


@pytest.mark.parametrize(
    ("task", "settings"),
    [
        ("pos_tagging", {"topology": "attention"}),
        ("image_rows", {"topology": "one_to_many"}),
        ("forecasting", {"engine": "numpy"}),
    ],
)
def test_networks_that_cannot_be_averaged_are_no_ensembles(task: str, settings: dict[str, Any]) -> None:
    for members in (1, 2):
        row = CASES[task].network_row(ensemble=members, **settings)
        found = [
            *consistency._of_ensemble(("x",), row),
            *(consistency._not_by_hand(("x",), row) if by_hand(row) else ()),
        ]
        refused = [mistake for mistake in found if mistake.where[-1] == "ensemble"]
        assert len(refused) == members - 1
