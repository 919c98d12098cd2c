"""Character language model: what it writes, and where in the test text it is surprised."""

import numpy as np

from pipeline.encoding.records import member_key
from pipeline.reporting import charts, formatting, generated
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Element, Picture
from pipeline.reporting.report_data import ReportData
from pipeline.reporting.surprise import surprise

SMALLEST = 1e-12  # what is drawn in place of zero


def figures(data: ReportData) -> list[Element]:
    along = surprise(data, "test text", "characters", lambda bits: bits)
    return [*generated.elements(data), *_gradients(data), along]


def _gradients(data: ReportData) -> list[Picture]:
    """For each state of the weights, a line for each experiment that measured it."""
    key = member_key(0, "gradients")
    found = {row.name: np.maximum(row.predictions[key], SMALLEST) for row in data.experiments if key in row.predictions}
    if not found:
        return []
    titles = ("newly built", "trained", "newly built, recurrent weights × 3", "the same, clipped by norm")
    steps = np.arange(len(next(iter(found.values()))[0]))
    rows = [(title, [Line(name, steps, norms[i]) for name, norms in found.items()]) for i, title in enumerate(titles)]
    said = "; ".join(
        f"{name} {formatting.plain(norms[0, 0])} and {formatting.plain(norms[0, -1])}, "
        f"trained {formatting.plain(norms[1, 0])} and {formatting.plain(norms[1, -1])}"
        for name, norms in found.items()
    )
    return [
        Picture(
            "gradients",
            "How far back the loss reaches",
            f"Norm of the gradient at distance 0 and at distance {steps[-1]}: {said}",
            charts.panels(rows, "distance in time (characters)", "gradient norm", log=True),
            "Norm of the gradient of one character’s loss with respect to the input so many characters before, mean "
            "over a batch of the validation text. Falling lines are vanishing gradients, rising ones exploding; "
            "clipping lowers a line as a whole and changes no slope.",
            wide=True,
        )
    ]
