"""Clip gradients against exploding steps (Pascanu et al. 2013)."""

from collections.abc import Sequence

import numpy as np

from pipeline.reference.cells import Floats


def by_value(gradients: Sequence[Floats], limit: float) -> list[Floats]:
    """Clip every number to -limit … limit; this changes the direction of the step."""
    return [np.clip(gradient, -limit, limit) for gradient in gradients]


def by_norm(gradients: Sequence[Floats], limit: float) -> list[Floats]:
    """Scale all gradients by one factor so that their joint norm is at most `limit`; this keeps the direction."""
    length = float(np.sqrt(sum(np.sum(gradient**2) for gradient in gradients)))
    return [gradient * min(1.0, limit / length) if length else gradient for gradient in gradients]
