"""From stored figures and predictions to what people look at: tables, pictures, a section per data set, one page.

Each task has a module here with its own figures: figures(material) -> list of elements. Nothing here trains or
predicts, and nothing here shows a file that params.yaml does not name.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.config.schema.values import named
from pipeline.reporting.elements import Element

TASK_FIGURES = {
    "char_lm": "pipeline.tasks.char_lm.figures",
    "char_windows": "pipeline.tasks.textbook.char_windows.figures",
    "sentiment": "pipeline.tasks.sentiment.figures",
    "pos_tagging": "pipeline.tasks.pos_tagging.figures",
    "forecasting": "pipeline.tasks.forecasting.figures",
    "image_rows": "pipeline.tasks.image_rows.figures",
    "returns": "pipeline.tasks.returns.figures",
    "scaled_windows": "pipeline.tasks.textbook.scaled_windows.figures",
    "padded_texts": "pipeline.tasks.textbook.padded_texts.figures",
    "cosine_windows": "pipeline.tasks.textbook.cosine_windows.figures",
    "padded_tags": "pipeline.tasks.textbook.padded_tags.figures",
}


def load_figures(task: str) -> Callable[[Any], Sequence[Element]]:
    """The function that shows what networks of this task do: Material -> elements."""
    found: Callable[[Any], Sequence[Element]] = importlib.import_module(named(TASK_FIGURES, task, "task")).figures
    return found
