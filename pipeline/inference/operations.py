"""The operations of keras.ops that networks apply to tensors outside of layers, in NumPy."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.inference.settings import ANY

Array = NDArray[Any]
DTYPES = ("float32", "float64", "int32", "uint8")


class Operation(NamedTuple):
    """A function of arrays and settings, and the settings that it computes; see settings.check."""

    compute: Callable[..., Any]
    settings: Mapping[str, Any] = {}


def _item(x: Array, key: Any) -> Array:
    return np.asarray(x[tuple(key) if isinstance(key, list) else key])


def _padded(x: Array, pad_width: Any, mode: str, constant_values: Any) -> Array:
    return np.pad(x, pad_width, constant_values=constant_values or 0)


def _one_hot(x: Array, num_classes: int, axis: int, dtype: str) -> Array:
    return np.eye(num_classes, dtype=dtype)[x]


def _sum(x: Array, axis: Any, keepdims: bool) -> Array:
    return np.asarray(x.sum(axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=keepdims))


def _log_softmax(x: Array, axis: int) -> Array:
    shifted = x - x.max(axis=axis, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True)))


def _log_sum_exp(x: Array, axis: Any, keepdims: bool) -> Array:
    highest = x.max(axis=axis, keepdims=True)
    total = highest + np.log(np.exp(x - highest).sum(axis=axis, keepdims=True))
    return np.asarray(total if keepdims else total.squeeze(axis))


OPERATIONS: dict[str, Operation] = {
    "Add": Operation(np.add),
    "Subtract": Operation(np.subtract),
    "Multiply": Operation(np.multiply),
    "TrueDivide": Operation(np.true_divide),
    "FloorDivide": Operation(np.floor_divide),
    "NotEqual": Operation(np.not_equal),
    "Any": Operation(np.any, {"axis": ANY, "keepdims": ANY}),
    "GetItem": Operation(_item),
    "Cast": Operation(lambda x, dtype: x.astype(dtype), {"dtype": DTYPES}),
    "Take": Operation(np.take, {"axis": ANY}),
    "Pad": Operation(_padded, {"pad_width": ANY, "mode": "constant"}),
    "Stack": Operation(np.stack, {"axis": ANY}),
    "Concatenate": Operation(np.concatenate, {"axis": ANY}),
    "Reshape": Operation(lambda x, newshape: x.reshape(newshape), {"newshape": ANY}),
    "Transpose": Operation(np.transpose, {"axes": ANY}),
    "Repeat": Operation(np.repeat, {"repeats": ANY, "axis": ANY}),
    "ZerosLike": Operation(np.zeros_like, {"dtype": (None, *DTYPES)}),
    "OneHot": Operation(_one_hot, {"num_classes": ANY, "axis": -1, "dtype": DTYPES}),
    "LogSoftmax": Operation(_log_softmax, {"axis": ANY}),
    "Logsumexp": Operation(_log_sum_exp, {"axis": ANY, "keepdims": ANY}),
    "Mean": Operation(lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims), {"axis": ANY, "keepdims": ANY}),
    "Sum": Operation(_sum, {"axis": ANY, "keepdims": ANY}),
}
