"""The directions that the network takes for each other."""

import numpy as np

from pipeline.reporting.classes import Answers, confusion
from pipeline.reporting.elements import Element
from pipeline.reporting.report_data import ReportData


def figures(data: ReportData) -> list[Element]:
    """Return the confusion matrix of the first experiment."""
    row, up = data.experiments[0], data.experiments[0].test_predictions()[0]
    truth = data.encoded.arrays["test_y"]
    answers = Answers(np.arange(len(truth)), truth, np.stack([1 - up, up], axis=1))
    return [confusion(row, answers, ("down", "up"))]
