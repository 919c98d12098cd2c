"""The activations of gates, which LLVM turns into vector code; the errors are below 2e-7.

NumPy's own exp and tanh would call a library for each number.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pipeline.layers.loops import compiled

ONE, TWO, HALF = np.float32(1.0), np.float32(2.0), np.float32(0.5)
PER_LN2 = np.float32(1.0 / np.log(2.0))
LN2 = np.float32(0.693359375)  # with few bits, so that its multiples are exact
LN2_REST = np.float32(np.log(2.0) - 0.693359375)
LOWEST, HIGHEST = np.float32(-87.0), np.float32(88.0)  # exp is neither 0 nor infinite in between
E2, E3, E4, E5, E6 = (np.float32(1.0 / f) for f in (2, 6, 24, 120, 720))
NEAR = np.float32(0.35)  # where tanh is near enough to 0 for its series
T3, T5, T7, T9, T11 = (np.float32(t) for t in (-1 / 3, 2 / 15, -17 / 315, 62 / 2835, -1382 / 155925))


@intrinsic  # type: ignore[untyped-decorator]
def _power_of_two(context: Any, exponent: Any) -> Any:
    """2 to the power of an int32 from -126 to 127, as float32: the exponent is put in its place among the bits."""

    def generate(context: Any, code: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        return code.bitcast(code.shl(code.add(arguments[0], word(127)), word(23)), ir.FloatType())

    return types.float32(types.int32), generate


@compiled
def exp(x: Any) -> Any:
    """Return exp of a float32: 2 to the nearest whole power of two, times the series of the rest."""
    x = min(max(x, LOWEST), HIGHEST)
    power = np.floor(x * PER_LN2 + HALF)
    rest = x - power * LN2 - power * LN2_REST
    series = ONE + rest * (ONE + rest * (E2 + rest * (E3 + rest * (E4 + rest * (E5 + rest * E6)))))
    return series * _power_of_two(np.int32(power))


@compiled
def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)) of a float32."""
    return ONE / (ONE + exp(-x))


@compiled
def tanh(x: Any) -> Any:
    """Return tanh of a float32; near 0 by its series, because there the other formula loses digits."""
    square = x * x
    near = x + x * square * (T3 + square * (T5 + square * (T7 + square * (T9 + square * T11))))
    far = TWO / (ONE + exp(-TWO * x)) - ONE
    return near if abs(x) < NEAR else far
