"""docs/gru-step: page and notebook are one, what they show is what their code gives, and Keras says the same."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import numpy as np
import pytest

from pipeline.layers import keras

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "gru-step.md").read_text(encoding="utf-8")
# A cell that the test adds, which says what the page's variables hold.
RESULTS = """
import json
names = ["x", "h", "W", "U", "b", "z", "r", "n", "h_new", "d_new", "d_h", "measured", "norms"]
values = {name: globals()[name] for name in names}
print(json.dumps(values, default=lambda value: value.tolist()))
"""


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebook_of_the_page", DOCS / "tools" / "notebook.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tool = _tool()


@pytest.fixture(scope="module")
def cells() -> list[nbformat.NotebookNode]:
    """The cells of code after the notebook has run, and last the results."""
    made = nbformat.read(DOCS / "gru-step.ipynb", as_version=4)
    made.cells.append(nbformat.v4.new_code_cell(RESULTS))
    run: list[nbformat.NotebookNode] = tool.run(made)
    return run


@pytest.fixture(scope="module")
def results(cells: list[nbformat.NotebookNode]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(tool.printed(cells[-1]))
    return {name: value if name == "norms" else np.array(value) for name, value in values.items()}


def test_the_notebook_is_that_of_the_page() -> None:
    text = (DOCS / "gru-step.ipynb").read_text(encoding="utf-8")
    assert text == tool.text(tool.notebook(PAGE)), "run docs/tools/notebook.py"
    assert len(text) < 20_000
    assert '"outputs": []' in text and '"output_type"' not in text


def test_the_page_shows_what_the_notebook_prints(cells: list[nbformat.NotebookNode]) -> None:
    assert tool.with_outputs(PAGE, cells[:-1]) == PAGE, "run docs/tools/notebook.py"
    drawn = [output for cell in cells for output in cell.outputs if output.output_type == "display_data"]
    assert len(drawn) == 1 and 10_000 < tool.FIGURE.stat().st_size < 100_000


def test_a_changed_number_shows(cells: list[nbformat.NotebookNode]) -> None:
    assert tool.with_outputs(PAGE.replace("0.6748 0.2611", "0.6749 0.2611"), cells[:-1]) == PAGE
    assert tool.notebook(PAGE.replace("h_new = z * h", "h_new = r * h")) != tool.notebook(PAGE)


def test_the_step_and_its_gradient_are_those_of_keras(results: dict[str, Any]) -> None:
    import tensorflow as tf

    cell = keras.layers.GRUCell(2, dtype="float64")
    cell.build((None, 1))
    cell.set_weights([results["W"], results["U"], results["b"]])
    h = tf.constant(results["h"][None])
    with tf.GradientTape() as tape:
        tape.watch(h)
        new = cell(tf.constant(results["x"][None]), [h])[0]
        loss = tf.reduce_sum(new * results["d_new"])
    np.testing.assert_allclose(results["h_new"], np.asarray(new)[0], atol=1e-12)
    np.testing.assert_allclose(results["d_h"], np.asarray(tape.gradient(loss, h))[0], atol=1e-12)
    np.testing.assert_allclose(results["d_h"], results["measured"], rtol=1e-6)


def test_the_gates_are_what_the_text_says(results: dict[str, Any]) -> None:
    assert results["z"] == pytest.approx([0.67, 0.26], abs=0.01)
    left = {name: norm[99] / norm[0] for name, norm in results["norms"].items()}
    assert left["GRU, update bias 0 (Keras)"] < left["SimpleRNN"] < left["LSTM, forget bias 1 (Keras)"] < 1e-6
    assert left["GRU, update bias 4"] == pytest.approx(0.2, abs=0.05)
