"""Report figures of char_lm: generated texts, gradients by distance, and surprise along the test text."""

import numpy as np

from pipeline.encoding.records import network_key
from pipeline.reporting import charts, formatting, generated
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Element, Picture
from pipeline.reporting.report_data import ReportData
from pipeline.reporting.surprise import surprise

SMALLEST = 1e-12  # drawn in place of zero, which has no logarithm


def figures(data: ReportData) -> list[Element]:
    """Return the generated texts, the gradients where they were measured, and the surprise along the test text."""
    along = surprise(data, "test text", "characters", lambda bits: bits)
    return [*generated.elements(data), *_gradients(data), along]


def _gradients(data: ReportData) -> list[Picture]:
    """Draw a panel for each state of the weights, with a line for each experiment that measured gradients."""
    key = network_key(0, "gradients")
    measured = {
        row.name: np.maximum(row.predictions[key], SMALLEST) for row in data.experiments if key in row.predictions
    }
    if not measured:
        return []
    titles = ("newly built", "trained", "newly built, recurrent weights × 3", "the same, clipped by norm")
    steps = np.arange(len(next(iter(measured.values()))[0]))
    rows = [
        (title, [Line(name, steps, norms[i]) for name, norms in measured.items()]) for i, title in enumerate(titles)
    ]
    summary = "; ".join(
        f"{name} {formatting.plain(norms[0, 0])} and {formatting.plain(norms[0, -1])}, "
        f"trained {formatting.plain(norms[1, 0])} and {formatting.plain(norms[1, -1])}"
        for name, norms in measured.items()
    )
    return [
        Picture(
            "gradients",
            "How far back the loss reaches",
            f"Norm of the gradient at distance 0 and at distance {steps[-1]}: {summary}",
            charts.panels(rows, "distance in time (characters)", "gradient norm", log=True),
            "Norm of the gradient of one character’s loss with respect to the input at each distance before it, mean "
            "over a batch of the validation text. Falling lines are vanishing gradients, rising lines are exploding "
            "ones; clipping lowers a whole line and changes no slope.",
            wide=True,
        )
    ]
