"""From stored figures and predictions to what people look at: tables, pictures, a section per data set, one page.

Each task has a module here with its own figures: figures(material) -> list of elements. Nothing here trains or
predicts, and nothing here shows a file that params.yaml does not name.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.reporting.elements import Element
from pipeline.rows.values import named

TASK_FIGURES = {
    "char_lm": "pipeline.reporting.char_lm",
    "char_windows": "pipeline.reporting.char_windows",
    "sentiment": "pipeline.reporting.sentiment",
    "pos_tagging": "pipeline.reporting.pos_tagging",
    "forecasting": "pipeline.reporting.forecasting",
    "image_rows": "pipeline.reporting.image_rows",
    "returns": "pipeline.reporting.returns",
    "scaled_windows": "pipeline.reporting.scaled_windows",
    "padded_texts": "pipeline.reporting.padded_texts",
    "cosine_windows": "pipeline.reporting.cosine_windows",
    "padded_tags": "pipeline.reporting.padded_tags",
}


def load_figures(task: str) -> Callable[[Any], Sequence[Element]]:
    """The function that shows what networks of this task do: Material -> elements."""
    found: Callable[[Any], Sequence[Element]] = importlib.import_module(named(TASK_FIGURES, task, "task")).figures
    return found
