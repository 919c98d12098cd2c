"""A trained network as a graph of NumPy functions, read from its description (pipeline.training.description)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.inference.layers import Embedding, Layer
from pipeline.inference.operations import OPERATIONS
from pipeline.inference.recurrent import LAYERS, Recurrent
from pipeline.inference.settings import Unsupported, check
from pipeline.raw_input import check_time

FORMATS = (1,)  # of descriptions that are read here
LARGEST_TABLE = 1_000  # embeddings whose products with a kernel are computed once, for all texts
Array = NDArray[Any]


class Value(NamedTuple):
    """The output of a node, as an argument of another."""

    place: int


class Call(NamedTuple):
    """A function, its arguments with values of other nodes in them, and the first argument's place if it is a value."""

    function: Callable[..., Any]
    arguments: list[Any]
    keywords: dict[str, Any]
    place: int | None

    def run(self, values: Sequence[Any]) -> Any:
        """Return the output. values: of all nodes so far."""
        if self.place is not None and not self.keywords:  # the usual case, without a search through the arguments
            return self.function(values[self.place])
        keywords = {key: _filled(argument, values) for key, argument in self.keywords.items()}
        return self.function(*(_filled(argument, values) for argument in self.arguments), **keywords)


class Graph:
    """A network that predicts, in the precision of its weights, with dropout off.

    A stateful network carries its state from call to call. Raises Unsupported for a layer or a setting that is not
    computed here; KeyError, TypeError, ValueError or another exception for a description that is none.
    """

    def __init__(self, description: Mapping[str, Any], weights: Sequence[Array]) -> None:
        if description["format"] not in FORMATS:
            raise Unsupported(f"format {description['format']}")
        nodes = description["nodes"]
        self.dtype, self.count = np.dtype(nodes[0]["settings"]["dtype"]), len(nodes)
        self.layers: list[Layer] = []
        same = list(range(len(nodes)))  # the node that has the value of each: dropout changes nothing
        calls: dict[int, Call] = {}
        for i, node in enumerate(nodes[1:], start=1):
            call = _call(node, weights, same)
            if type(call.function) is Layer and call.place is not None:
                same[i] = call.place
            else:
                calls[i] = _looked_up(call, calls)
        self.output = same[_parsed(description["output"], same).place]
        needed = _needed(self.output, calls)
        self.calls = [(i, call) for i, call in calls.items() if i in needed]
        self.layers = [call.function for _, call in self.calls if isinstance(call.function, Layer)]

    def predict(self, x: Any) -> Array:
        """Return the output for one batch. Raises Busy after the deadline of an answer."""
        check_time()
        values: list[Any] = [None] * self.count
        values[0] = np.asarray(x, self.dtype)
        for i, call in self.calls:
            values[i] = call.run(values)
        return np.asarray(values[self.output])

    def reset_states(self) -> None:
        """Set the states that are carried from call to call to zero."""
        for layer in self.layers:
            layer.reset_states()


def supported(description: Mapping[str, Any]) -> bool:
    """Check whether a description names only layers and settings that are computed here."""
    try:
        Graph(description, [np.zeros(shape, np.float32) for shape in description["weights"]])
    except Unsupported:
        return False
    return True


def _call(node: Mapping[str, Any], weights: Sequence[Array], same: Sequence[int]) -> Call:
    name, settings = node["class"], node["settings"]
    arguments = [_parsed(argument, same) for argument in node["args"]]
    keywords = {key: _parsed(argument, same) for key, argument in node["kwargs"].items()}
    function: Callable[..., Any]
    if node["kind"] == "layer":
        if name not in LAYERS or not keywords.keys() <= {"mask"}:
            raise Unsupported(f"{name} with {', '.join(keywords)}" if name in LAYERS else name)
        function = LAYERS[name].of(name, settings, [weights[i] for i in node["weights"]])
        keywords = {key: argument for key, argument in keywords.items() if argument is not None}
    else:
        if name not in OPERATIONS:
            raise Unsupported(f"keras.ops: {name}")
        check(f"keras.ops: {name}", settings, OPERATIONS[name].settings)
        function, keywords = OPERATIONS[name].compute, {**keywords, **settings}
    alone = len(arguments) == 1 and isinstance(arguments[0], Value)
    return Call(function, arguments, keywords, arguments[0].place if alone else None)


def _looked_up(call: Call, calls: Mapping[int, Call]) -> Call:
    """Let a recurrent layer after a small table of embeddings look the products of the rows up."""
    before = calls.get(-1 if call.place is None else call.place)
    if not isinstance(call.function, Recurrent) or before is None or not isinstance(before.function, Embedding):
        return call
    if len(before.function.table) > LARGEST_TABLE:
        return call
    call.function.read_ids(before.function.table)
    return call._replace(arguments=before.arguments, place=before.place)


def _parsed(given: Any, same: Sequence[int]) -> Any:
    """Return an argument as Python has it."""
    if isinstance(given, list):
        return [_parsed(each, same) for each in given]
    if not isinstance(given, dict):
        return given
    kind, value = next(iter(given.items()))
    if kind == "node":
        return Value(same[value])
    if kind == "slice":
        return slice(*value)
    if kind == "array":
        return np.array(value, given["dtype"])
    if kind == "ellipsis":
        return ...
    raise Unsupported(f"an argument of the kind {kind}")


def _filled(argument: Any, values: Sequence[Any]) -> Any:
    if isinstance(argument, Value):
        return values[argument.place]
    return [_filled(each, values) for each in argument] if isinstance(argument, list) else argument


def _read(argument: Any) -> Iterator[int]:
    """Yield the places of the values in an argument."""
    if isinstance(argument, Value):
        yield argument.place
    elif isinstance(argument, list):
        for each in argument:
            yield from _read(each)


def _needed(output: int, calls: Mapping[int, Call]) -> set[int]:
    needed, waiting = set[int](), [output]
    while waiting:
        i = waiting.pop()
        if i in calls and i not in needed:
            needed.add(i)
            waiting += _read([*calls[i].arguments, *calls[i].keywords.values()])
    return needed
