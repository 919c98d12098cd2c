"""Gradients cut down to size, against the steps in which they explode (Pascanu et al. 2013)."""

from collections.abc import Sequence

import numpy as np

from pipeline.reference.cells import Floats


def by_value(gradients: Sequence[Floats], limit: float) -> list[Floats]:
    """Every number into -limit … limit, each by itself: the direction of the step changes."""
    return [np.clip(gradient, -limit, limit) for gradient in gradients]


def by_norm(gradients: Sequence[Floats], limit: float) -> list[Floats]:
    """All of them by one factor, so that the length of the whole step is at most `limit`: its direction stays."""
    length = float(np.sqrt(sum(np.sum(gradient**2) for gradient in gradients)))
    return [gradient * min(1.0, limit / length) if length else gradient for gradient in gradients]
