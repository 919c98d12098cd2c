"""Character language model: what it writes, and where in the test text it is surprised."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import member_key
from pipeline.reporting import charts, generated, wording
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Element, Picture
from pipeline.reporting.material import Material
from pipeline.reporting.wording import count

POINTS = 400
SMALLEST = 1e-12  # what is drawn in place of zero


def figures(material: Material) -> list[Element]:
    along = surprise(material, "test text", "characters", lambda bits: bits)
    return [*generated.elements(material), *_gradients(material), along]


def _gradients(material: Material) -> list[Picture]:
    """For each state of the weights, a line for each experiment that measured it."""
    key = member_key(0, "gradients")
    found = {
        row.name: np.maximum(row.predictions[key], SMALLEST) for row in material.experiments if key in row.predictions
    }
    if not found:
        return []
    titles = ("newly built", "trained", "newly built, recurrent weights × 3", "the same, clipped by norm")
    steps = np.arange(len(next(iter(found.values()))[0]))
    rows = [(title, [Line(name, steps, norms[i]) for name, norms in found.items()]) for i, title in enumerate(titles)]
    said = "; ".join(
        f"{name} {wording.plain(norms[0, 0])} and {wording.plain(norms[0, -1])}, "
        f"trained {wording.plain(norms[1, 0])} and {wording.plain(norms[1, -1])}"
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


def surprise(material: Material, where: str, examples: str, bits_of: Callable[[NDArray[Any]], NDArray[Any]]) -> Picture:
    """Smoothed bits along a text; bits_of: float [examples], the bits among the predictions of the test examples."""
    drawn = [(row.name, bits_of(row.test_predictions()[0]), False) for row in material.experiments]
    best = material.best_baseline()
    if best:
        drawn.append((f"{best[0]} (baseline)", bits_of(best[1][0]), True))
    width = max(1, len(drawn[0][1]) // 20)
    rows = [Line(name, *smoothed(bits, width), rival=rival) for name, bits, rival in drawn]
    return Picture(
        "bits-along-the-text",
        f"Surprise along the {where}",
        f"Bits per character along the {where}: "
        + "; ".join(f"{n} {bits.mean():.3f} on average" for n, bits, _ in drawn),
        charts.lines(rows, f"position in the {where} ({examples})", "bits per character", wide=True),
        f"Mean over {count(width)} neighbouring {examples}; lower is better.",
        wide=True,
    )


def smoothed(values: NDArray[np.floating], width: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Positions and moving averages over `width` values: at most about POINTS of them."""
    sums = np.cumsum([0.0, *values.astype(np.float64)])
    means = (sums[width:] - sums[:-width]) / width
    at = np.arange(0, len(means), max(1, len(means) // POINTS))
    return at + width / 2, means[at]
