"""The exponential average of an array, in one pass over the memory."""

from typing import Any

from pipeline.layers.loops import compiled_exactly


@compiled_exactly
def move(values: Any, towards: Any, share: Any, first: int, last: int) -> None:
    """Move the numbers first … last − 1 of values by `share` of their distance. All are float32, arrays of one axis."""
    for i in range(first, last):
        values[i] += share * (towards[i] - values[i])
