"""CONTRIBUTING's promises about additions, kept by doing them in a clone: a source, a cell, a metric, a whole task."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.clone import ROOT, changed, clone
from tests.commands import environment
from tests.forked import run_module

pytestmark = pytest.mark.slow
PLANTS = ROOT / "tests" / "adding"
SOURCE = '''"""Tides: the height of an invented tide, one value an hour.

    0,1.5
"""

from pathlib import Path

import numpy as np

from pipeline.encoding.records import Series
from pipeline.errors import DataError
from pipeline.sources.card import Card, find_file

GENERATED = True
FILE = "tides.csv"
HOURS = 2_000
CARD = Card(
    title="Tides",
    about="The height of an invented tide, one value an hour.",
    homepage="https://en.wikipedia.org/wiki/Tide",
    licence="Public domain (computed)",
    example="0,1.500",
    forms=((),),
    how_to_get="computed, the same in both editions",
)


def read(folder: Path) -> Series:
    """Read the heights, float64 [hours], in metres."""
    path = find_file(folder, (FILE,))
    rows = [line.split(",") for line in path.read_text(encoding="ascii").splitlines()]
    if len(rows) != HOURS or [row[0] for row in rows] != [str(hour) for hour in range(HOURS)]:
        raise DataError(f"{path}: {len(rows)} lines, expected {HOURS} of the form 0,1.500")
    values = np.array([float(row[1]) for row in rows])
    return Series(values, np.ones(len(values), np.bool_), "m", findings={"points": len(values)})


def synthesize(folder: Path, seed: int) -> None:
    """Write tides.csv; `seed` is ignored, since nothing is random."""
    del seed
    hours = np.arange(HOURS)
    values = 1.5 + np.sin(hours * 2 * np.pi / 12.4) + 0.3 * np.sin(hours * 2 * np.pi / 300)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text("".join(f"{h},{v:.3f}\\n" for h, v in zip(hours, values, strict=True)))
'''
SOURCE_TEST = '''"""Tides."""

from pathlib import Path

from pipeline.sources import tides


def test_the_tide_rises_and_falls(tmp_path: Path) -> None:
    tides.synthesize(tmp_path, 1)
    assert 0.0 < tides.read(tmp_path).values.min() < 0.5 < 2.5 < tides.read(tmp_path).values.max() < 3.0
'''
CELL = '''

@keras.saving.register_keras_serializable(package="pipeline")
class MinimalGatedCell(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """One gate, and what it forgets is what it writes (Zhou et al. 2016)."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units, self.state_size, self.output_size = units, units, units

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1], 2 * self.units), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, 2 * self.units), initializer="orthogonal", name="recurrent_kernel"
        )
        self.bias = self.add_weight(shape=(2 * self.units,), initializer="zeros", name="bias")

    def call(self, x: Any, states: Any, training: bool = False) -> Any:
        drive, over = x @ self.kernel + self.bias, states[0] @ self.recurrent_kernel
        gate = keras.ops.sigmoid(drive[:, : self.units] + over[:, : self.units])
        new = keras.ops.tanh(drive[:, self.units :] + gate * over[:, self.units :])
        state = (1.0 - gate) * states[0] + gate * new
        return state, [state]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def minimal_gated(units: int, **options: Any) -> Any:
    """float32 [batch, time, features] → the minimal gated unit's outputs."""
    own = {name: options.pop(name) for name in ("dropout", "recurrent_dropout") if name in options}
    assert not any(own.values())
    return keras.layers.RNN(MinimalGatedCell(units), **options)


CELLS["minimal_gated"] = minimal_gated
'''
CELL_IN_NUMPY = '''

class MinimalGated(Cell):
    """See pipeline.layers.cells."""

    settings = known(units=ANY)
    halved = (True, False)

    def step(self, given: Floats, states: list[Floats]) -> list[Floats]:
        over = np.dot(states[0], self.recurrent)
        gate = _sigma(np.tanh(given[:, : self.units] + over[:, : self.units]))
        new = np.tanh(given[:, self.units :] + gate * over[:, self.units :])
        return [states[0] + gate * (new - states[0])]


NAMED["minimal_gated"] = MinimalGated
CELLS["MinimalGatedCell"] = MinimalGated
'''


class Clone:
    """A clone, and the few edits and commands of these tests."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.root = clone(root)
        (self.root / ".venv").symlink_to(Path(sys.prefix))

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"{name} has no {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def before(self, name: str, line: str, new: str) -> None:
        self.edit(name, line, new + line)

    def append(self, name: str, text: str) -> None:
        path = self.root / name
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    def run(self, *command: str, **variables: str) -> str:
        done = run_module(self.root, *command, environment=environment(**variables))
        assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def changed(self) -> set[str]:
        return {name for name in changed(self.root) - {".venv"} if not name.startswith("reports/")}


@pytest.fixture
def here(tmp_path: Path) -> Clone:
    return Clone(tmp_path / "clone")


def test_a_source_is_one_module_and_two_rows(here: Clone) -> None:
    module, test = "pipeline/sources/tides.py", "tests/sources/test_tides.py"
    table, contract = "pipeline/sources/__init__.py", "tests/sources/test_source_contract.py"
    (here.root / module).write_text(SOURCE)
    (here.root / test).write_text(SOURCE_TEST)
    here.before(table, '    "umich": ', '    "tides": "pipeline.sources.tides",\n')
    here.before("params.yaml", "  umich: {reader", "  tides: {reader: tides}\n")
    here.before(contract, '    "umich": LabelledTexts,', '    "tides": Series,\n')
    here.run("pytest", "-q", test, contract, "-k", "tides or the_tide or covers_the_table")
    here.run("pytest", "-q", "tests/test_modules.py")
    here.run("pipeline", "download", "tides")
    assert here.changed() == {"params.yaml", module, test, table, contract}


def test_a_cell_is_one_row_and_its_name(here: Clone) -> None:
    here.append("pipeline/layers/cells.py", CELL)
    here.edit("pipeline/config/schema/values.py", '"coupled_lstm"]', '"coupled_lstm", "minimal_gated"]')
    here.edit("pipeline/reporting/formatting.py", "CELLS = {", 'CELLS = {\n    "minimal_gated": "minimal gated unit",')
    oracle = '''

def minimal_gated(x: Floats, states: States, kernel: Floats, over: Floats, bias: Floats) -> States:
    """Zhou et al. 2016."""
    f, new = np.split(x @ kernel + bias, 2, axis=-1)
    f_state, new_state = np.split(states[0] @ over, 2, axis=-1)
    gate = sigmoid(f + f_state)
    return [(1 - gate) * states[0] + gate * np.tanh(new + gate * new_state)]


# One step of each cell'''
    here.edit("tests/layers/test_cells.py", "\n\n# One step of each cell", oracle)
    here.edit(
        "tests/layers/test_cells.py",
        '    "gru": (gru, 1),',
        '    "gru": (gru, 1),\n    "minimal_gated": (minimal_gated, 1),',
    )
    here.append("pipeline/inference/cells.py", CELL_IN_NUMPY)
    here.run("pytest", "-q", "tests/layers/test_cells.py", "-k", "minimal_gated or every or all")
    # The textbook's tasks set a dropout inside the cell, which this one lacks.
    here.run("pytest", "-q", "tests/inference/test_graph.py", "-k", "minimal_gated and not padded")
    assert len(here.changed()) == 5


def test_a_metric_is_two_edits_of_its_task(here: Clone) -> None:
    room = "pipeline/tasks/sentiment"
    here.edit(f"{room}/score.py", '"log_loss": float(', '"brier": float(np.mean((1 - p) ** 2)), "log_loss": float(')
    here.edit(
        f"{room}/task.py", "        LOG_LOSS,\n", '        LOG_LOSS,\n        Metric("brier").shown("Brier score"),\n'
    )
    here.run("pytest", "-q", "tests/tasks/test_contract.py", "-k", "sentiment")
    assert here.changed() == {f"{room}/score.py", f"{room}/task.py"}


def test_a_task_is_one_folder_one_row_and_its_settings(here: Clone) -> None:
    room = here.root / "pipeline/tasks/turning"
    shutil.copytree(PLANTS / "turning", room, ignore=shutil.ignore_patterns("__pycache__", "case.py"))
    tests = here.root / "tests/tasks/turning"
    tests.mkdir()
    shutil.copy(PLANTS / "turning" / "case.py", tests / "case.py")
    table = "pipeline/tasks/__init__.py"
    line = "from pipeline.tasks.sentiment.task import TASK as SENTIMENT\n"
    here.edit(table, line, f"{line}from pipeline.tasks.turning.task import TASK as TURNING\n")
    here.edit(table, "        SENTIMENT,\n", "        SENTIMENT,\n        TURNING,\n")
    _settings(here)
    here.run("pytest", "-q", "tests/tasks/test_contract.py", "tests/training/test_repeats.py", "-k", "turning")
    for stage in ("download cosine", "preprocess turning", "baseline turning", "train turning", "evaluate turning"):
        here.run("pipeline", *stage.split())
    here.run("pipeline", "report", "turning")
    assert "direction right" in (here.root / "reports/turning/table.md").read_text(encoding="utf-8")
    shared = ("tests/stages/test_evaluate.py", "tests/serving/test_served.py", "tests/reporting/test_task_figures.py")
    here.run("pytest", "-q", *shared, "-k", "turning", TRAINED_TASK="turning")
    files = {name for name in here.changed() if name.startswith("pipeline/tasks/turning/")}
    assert len(files - {"pipeline/tasks/turning/__init__.py"}) <= 8
    assert here.changed() - files == {
        table,
        "params.yaml",
        "pipeline/config/defaults.yaml",
        "pipeline/config/schema/datasets.py",
        "pipeline/config/schema/networks.py",
        "tests/tasks/turning/case.py",
    }


def _settings(here: Clone) -> None:
    """Add the task's settings: their types, their defaults, and a row of each table."""
    schema = "pipeline/config/schema"
    for name, base, body in (
        ("datasets", "Data", "    window: Count\n"),
        ("networks", "Network", ""),
    ):
        kind = {"datasets": "DatasetRow", "networks": "Network"}[name]
        made = f'class Turning{base}({kind}):\n    """Turning."""\n\n    task: Literal["turning"]\n{body}\n\n'
        union = {"datasets": "DatasetRows = (", "networks": "ExperimentRows = ("}[name]
        here.edit(f"{schema}/{name}.py", union, f"{made}{union}\n    Turning{base}\n    |")
    path = here.root / "pipeline/config/defaults.yaml"
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^(datasets:[^\n]*\n)", r"\1  turning:\n    window: 8\n", text)
    path.write_text(re.sub(r"(?m)^(experiments:[^\n]*\n)", r"\1  turning: {}\n", text), encoding="utf-8")
    here.edit("params.yaml", "\ndatasets:\n", "\ndatasets:\n  turning: {source: cosine, task: turning}\n")
    row = "  turning: {dataset: turning, task: turning, recipe: digits, units: 8}\n"
    here.edit("params.yaml", "\nexperiments:\n", f"\nexperiments:\n{row}")
