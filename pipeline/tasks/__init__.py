"""The table of tasks. Each task is a folder that ends in one TASK."""

from pipeline.config.schema.values import named
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.task import Task
from pipeline.tasks.char_lm.task import TASK as CHAR_LM
from pipeline.tasks.forecasting.task import TASK as FORECASTING
from pipeline.tasks.image_rows.task import TASK as IMAGE_ROWS
from pipeline.tasks.pos_tagging.task import TASK as POS_TAGGING
from pipeline.tasks.returns.task import TASK as RETURNS
from pipeline.tasks.sentiment.task import TASK as SENTIMENT
from pipeline.tasks.textbook.char_windows.task import TASK as CHAR_WINDOWS
from pipeline.tasks.textbook.cosine_windows.task import TASK as COSINE_WINDOWS
from pipeline.tasks.textbook.padded_tags.task import TASK as PADDED_TAGS
from pipeline.tasks.textbook.padded_texts.task import TASK as PADDED_TEXTS
from pipeline.tasks.textbook.scaled_windows.task import TASK as SCALED_WINDOWS

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        CHAR_LM,
        SENTIMENT,
        POS_TAGGING,
        FORECASTING,
        RETURNS,
        IMAGE_ROWS,
        CHAR_WINDOWS,
        PADDED_TEXTS,
        PADDED_TAGS,
        SCALED_WINDOWS,
        COSINE_WINDOWS,
    )
}


def primary_metrics() -> dict[str, Metric]:
    """Return the primary metric of each task."""
    return {name: task.primary_metric for name, task in TASKS.items()}


def task_named(name: str) -> Task:
    """Return the task called `name`; raises ConfigError for an unknown one and lists those that are known."""
    return named(TASKS, name, "task")
