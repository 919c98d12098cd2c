"""Report figures of char_lm: generated texts, gradients and agreement by distance, and surprise along the test text."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import network_key
from pipeline.reporting import charts, formatting, generated
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Element, Picture
from pipeline.reporting.report_data import ReportData
from pipeline.reporting.surprise import surprise

SMALLEST = 1e-12  # drawn in place of zero, which has no logarithm
FARTHEST = 40  # characters; agreements from there on are one group
GROUP = 10  # characters of distance that belong to a group of agreements
HIT = 1.0  # fewer bits than this: the right character was given a probability above one half


def figures(data: ReportData) -> list[Element]:
    """Return the generated texts, the surprise along the test text, and what is known of gradients and agreements."""
    along = surprise(data, "test text", "characters", lambda bits: bits)
    return [*generated.elements(data, data.encoded.arrays["train"]), *_agreement(data), *_gradients(data), along]


def hit_rates(
    agreements: NDArray[np.integer[Any]], bits: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return the hit rate of each group of agreements, by distance.

    agreements: int [agreements, 2], position in the test text and distance; bits: float [test characters].
    The result is mean distance, share of hits and number of agreements, each [groups that have one].
    """
    at, distance = agreements.T
    groups, which = np.unique(np.minimum(distance, FARTHEST) // GROUP, return_inverse=True)
    n = np.bincount(which, minlength=len(groups))
    return np.bincount(which, distance) / n, np.bincount(which, bits[at] < HIT) / n, n


def _agreement(data: ReportData) -> list[Picture]:
    """Draw how often each network and the n-gram model know the ending of a verb, by the distance to its subject."""
    agreements = data.encoded.arrays.get("agreements")
    if agreements is None or not len(agreements):
        return []
    drawn = [(row.name, row.test_predictions()[0], False) for row in data.experiments]
    n_grams = [name for name in data.baselines if name.endswith("-gram")]  # PPMd says nothing of single characters
    if n_grams:
        best = min(n_grams, key=lambda name: data.metric.cost(data.baselines[name]))
        drawn.append((f"{best} (baseline)", data.baseline_predictions[network_key(best, 0)], True))
    rates = {name: hit_rates(agreements, bits) for name, bits, _ in drawn}
    distances, _, n = next(iter(rates.values()))
    curves = [Line(name, distances, rates[name][1], rival=rival) for name, _, rival in drawn]
    curves.append(Line("optimum", distances, np.ones(len(n)), truth=True))
    return [
        Picture(
            "agreement",
            "Agreement across a distance",
            f"Share of verbs that agree with a subject {distances[0]:.0f} and {distances[-1]:.0f} characters before: "
            + "; ".join(f"{name} {rate[0]:.0%} and {rate[-1]:.0%}" for name, (_, rate, _) in rates.items()),
            charts.lines(curves, "distance to the subject (characters)", "hit rate", wide=True),
            "“Has” or “have”: a hit gives the right letter a probability above one half. Whoever remembers whether the "
            f"subject is singular or plural is always right; guessing is right half of the time. {n.sum()} verbs in "
            f"{len(n)} groups of distance: {', '.join(map(str, n))}.",
            wide=True,
        )
    ]


def _gradients(data: ReportData) -> list[Picture]:
    """Draw a panel for each state of the weights, with a line for each experiment that measured gradients."""
    key = network_key(0, "gradients")
    rows = [row for row in data.experiments if key in row.predictions]
    measured = {row.name: np.maximum(row.predictions[key], SMALLEST) for row in rows}
    if not measured:
        return []
    titles = ("newly built", "trained", "newly built, recurrent weights × 3", "the same, clipped by norm")
    steps = np.arange(len(next(iter(measured.values()))[0]))
    drawn = [
        (title, [Line(row.name, steps, measured[row.name][i], turn=row.turn) for row in rows])
        for i, title in enumerate(titles)
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
            charts.panels(drawn, "distance in time (characters)", "gradient norm", log=True, columns=2),
            "Norm of the gradient of one character’s loss with respect to the input at each distance before it, mean "
            "over a batch of the validation text. Falling lines are vanishing gradients, rising lines are exploding "
            "ones; clipping lowers a whole line and changes no slope.",
            wide=True,
        )
    ]
