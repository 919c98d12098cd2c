"""Report figure of padded_tags: accuracy on padding and on words, separately."""

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import network_key
from pipeline.reporting import charts
from pipeline.reporting.elements import Element, Picture
from pipeline.reporting.formatting import count
from pipeline.reporting.report_data import ReportData
from pipeline.tasks.textbook.padded_tags.prepare import PAD, in_split


def figures(data: ReportData) -> list[Element]:
    """Return one picture: accuracy by kind of cell, for all experiments and baselines."""
    test = in_split(data.encoded, "test")
    words, tags = data.encoded.arrays["words"][test], data.encoded.arrays["tags"][test]
    real, first = words > PAD, data.encoded.encoder["tags"][0]
    kinds = {"padding": ~real, f"words with tag 0 ({first})": real & (tags == 0), "other words": tags > 0}
    answers = {row.name: row.test_predictions()[0] for row in data.experiments}
    stored = data.baseline_predictions
    rivals = {name: stored[key] for name in data.baselines if (key := network_key(name, 0)) in stored}
    shares = {name: _right(picked == tags, kinds) for name, picked in {**answers, **rivals}.items()}
    groups = [f"{kind}\n{count(int(cells.sum()))} cells" for kind, cells in kinds.items()]
    summary = "; ".join(f"{name} {', '.join(f'{share:.0f}' for share in row)}" for name, row in shares.items())
    return [
        Picture(
            "kinds-of-cells",
            "What the accuracy with padding is made of",
            f"Percent right of {', '.join(kinds)}: {summary}",
            charts.bars(
                groups,
                shares,
                {row.name: row.turn for row in data.experiments},
                "cells of the test sentences",
                "right (%)",
                wide=True,
            ),
            "Every cell counts alike in the textbook's accuracy; only the last two kinds are words.",
            wide=True,
        )
    ]


def _right(right: NDArray[np.bool_], kinds: dict[str, NDArray[np.bool_]]) -> list[float]:
    """Return the percentage of right cells of each kind."""
    return [100.0 * float(right[cells].mean()) if cells.any() else 0.0 for cells in kinds.values()]
