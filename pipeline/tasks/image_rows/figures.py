"""Report figures of image_rows: drawings, calibration, confused classes, confident mistakes, and random images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import network_key
from pipeline.reporting import grids
from pipeline.reporting.classes import Answers, confusion, reliability
from pipeline.reporting.elements import Element, Picture
from pipeline.reporting.formatting import count
from pipeline.reporting.report_data import Experiment, ReportData

MISTAKES, AT_RANDOM = 18, 24


def figures(data: ReportData) -> list[Element]:
    """Return drawings and reliability of all experiments; confusions, mistakes and random images of the first one."""
    row, arrays, names = data.experiments[0], data.encoded.arrays, data.encoded.encoder["label_names"]
    by_name = {one.name: _answers(data, one.test_predictions()[0]) for one in data.experiments}
    best = data.best_baseline()
    rival = {best[0]: _answers(data, best[1][0])} if best else {}
    answers = by_name[row.name]
    shown: list[Element] = [*_drawn(data), reliability(data, by_name, rival), confusion(row, answers, names)]
    worst = answers.worst(MISTAKES)
    if len(worst):
        shown.append(_mistakes(row, arrays["test_x"], answers, worst, names))
    chosen = np.sort(np.random.default_rng(0).permutation(len(answers.truth))[:AT_RANDOM])
    return [*shown, _at_random(row, arrays["test_x"], answers, chosen, names)]


def _answers(data: ReportData, probabilities: NDArray[Any]) -> Answers:
    return Answers(np.arange(len(probabilities)), data.encoded.arrays["test_y"], probabilities)


def _drawn(data: ReportData) -> list[Picture]:
    """Show what networks draw from a label alone."""
    key = network_key(0, "drawn")
    names = data.encoded.encoder["label_names"]
    drawings = [(row.name, row.predictions[key]) for row in data.experiments if key in row.predictions]
    return [
        Picture(
            f"drawn-{name}",
            f"Drawn by {name} from a single label",
            f"{drawn.shape[1]} drawings of each of the classes {', '.join(names)}",
            grids.sheet(
                drawn.reshape(-1, *drawn.shape[2:]),
                [label for label in names for _ in range(drawn.shape[1])],
                [False] * (len(names) * drawn.shape[1]),
                columns=drawn.shape[1],
            ),
            "Each image was drawn row by row, from its label and the rows above.",
            photo=True,
        )
        for name, drawn in drawings
    ]


def _mistakes(row: Experiment, images: Any, answers: Answers, worst: NDArray[np.int64], names: Any) -> Picture:
    captions = [
        f"{names[answers.truth[i]]}\n→ {names[answers.picked[i]]}\n{100 * answers.probabilities[i].max():.0f} %"
        for i in worst
    ]
    total = int(np.sum(answers.picked != answers.truth))
    return Picture(
        "mistakes",
        f"The most confident mistakes of {row.name}",
        "Test images with truth → prediction: "
        + "; ".join(caption.replace("\n", " ", 1).replace("\n", ", ") for caption in captions),
        grids.sheet(images[worst], captions, [True] * len(worst)),
        f"Truth → prediction and its probability; {len(worst)} of {count(total)} mistakes.",
        photo=True,
    )


def _at_random(row: Experiment, images: Any, answers: Answers, chosen: NDArray[np.int64], names: Any) -> Picture:
    wrong = [bool(answers.picked[i] != answers.truth[i]) for i in chosen]
    captions = [
        f"{names[answers.truth[i]]}\n→ {names[answers.picked[i]]}" if bad else f"{names[answers.picked[i]]} ✓"
        for i, bad in zip(chosen, wrong, strict=True)
    ]
    return Picture(
        "at-random",
        f"Random test images: {row.name}",
        f"{len(chosen)} random test images with predictions, {len(chosen) - sum(wrong)} of them right",
        grids.sheet(images[chosen], captions, wrong),
        "The prediction, with a tick if it is right; truth → prediction if it is wrong.",
        photo=True,
    )
