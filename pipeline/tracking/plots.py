"""What `dvc plots` draws: for each data set, the validation curves of all its experiments in one plot.

DVC can repeat a stage for each row of params.yaml, but not a plot, so the plots are written to a file of their own.
"""

from collections.abc import Mapping
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import plain_yaml
from pipeline.config.schema.params import Params
from pipeline.evaluation.metric import Metric

ABOUT = "# Written by the stages train and index, from the rows of params.yaml. Commit it with dvc.lock.\n"


def write(project: Project, params: Params, metrics: Mapping[str, Metric]) -> None:
    """Write reports/dvc.yaml. metrics: the primary metric of each task."""
    plots = [{name: _plot(params, name, metrics[row.task])} for name, row in params.datasets.items()]
    text = ABOUT + plain_yaml.block({"plots": plots})
    if not project.plots.is_file() or project.plots.read_text(encoding="utf-8") != text:
        artifacts.save_text(project.plots, text)


def _plot(params: Params, dataset: str, metric: Metric) -> dict[str, Any]:
    """Return DVC's definition of a plot; paths are relative to the folder of the file."""
    column = f"val_{metric.name}"
    better = {True: "higher is better", False: "lower is better", None: ""}[metric.higher_is_better]
    label = f"validation {metric.label or metric.name}"
    return {
        "template": "simple",
        "title": dataset,
        "x": "epoch",
        "y": {f"curves/{dataset}/{name}.csv": column for name in params.experiments_on(dataset)},
        "x_label": "epoch",
        "y_label": f"{label}, {better}" if better else label,
    }
