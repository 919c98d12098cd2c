"""Recurrent layers in NumPy: one output or one at each step, backwards, with a mask, with a state that is carried."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.inference.cells import CELLS, NAMED, Cell, Floats
from pipeline.inference.layers import FAR, PLAIN, Layer, softmax
from pipeline.inference.settings import ANY, Settings, Unsupported, check, known
from pipeline.raw_input import check_time

Mask = NDArray[np.bool_] | None
LOOP: dict[str, Any] = {
    "return_sequences": ANY,
    "return_state": False,
    "go_backwards": ANY,
    "stateful": ANY,
    "zero_output_for_mask": ANY,
}


def _cell(name: str, settings: Settings, weights: Sequence[Floats], around: Mapping[str, Any]) -> Cell:
    """Make the cell called `name`; around: the settings of its layer. Raises Unsupported for an unknown one."""
    if name not in CELLS:
        raise Unsupported(name)
    check(name, settings, {**CELLS[name].settings, **around})
    return CELLS[name](settings, weights)


class Recurrent(Layer):
    """A recurrent layer: float [batch, time, features] → [batch, time, units], or the last output [batch, units].

    A masked step leaves the state as it is. Its output is zero with zero_output_for_mask, and otherwise that of the
    step before, which is zero at the start.
    """

    def __init__(self, settings: Settings, weights: Sequence[Floats], cell: Cell) -> None:
        self.cell = cell
        self.sequences = bool(settings["return_sequences"])
        self.backwards = bool(settings["go_backwards"])
        self.stateful = bool(settings["stateful"])
        self.zero_if_masked = bool(settings["zero_output_for_mask"])
        self.table: Floats | None = None
        self.states: list[Floats] | None = None

    @classmethod
    def of(cls, name: str, settings: Settings, weights: Sequence[Floats]) -> Self:
        """Make the layer that Keras calls like its cell."""
        return cls(settings, weights, _cell(name, settings, weights, LOOP))

    def read_ids(self, embeddings: Floats) -> None:
        """Take ids int [batch, time] in place of rows of `embeddings`, and look the products of the rows up."""
        self.table = self.cell.project(embeddings)

    def reset_states(self) -> None:
        self.states = None

    def __call__(self, x: NDArray[Any], mask: Mask = None) -> Floats:
        given = self._given(x)
        if self.backwards:
            given, mask = given[::-1], None if mask is None else mask[:, ::-1]
        states = self.states if self.stateful else None
        if states is None:
            states = [np.zeros((given.shape[1], self.cell.units), given.dtype)] * self.cell.states
        out, states = self._unmasked(given, states) if mask is None else self._masked(given, states, mask)
        if self.stateful:
            self.states = states
        return out

    def _given(self, x: NDArray[Any]) -> Floats:
        """Return [time, batch, gates × units]: the product of each step's input."""
        if self.table is not None:
            return np.asarray(self.table[x.T])
        batch, time, features = x.shape
        rows = np.ascontiguousarray(x.transpose(1, 0, 2), self.cell.kernel.dtype).reshape(-1, features)
        return self.cell.project(rows).reshape(time, batch, -1)

    def _unmasked(self, given: Floats, states: list[Floats]) -> tuple[Floats, list[Floats]]:
        outputs = []
        for part in given:
            check_time()
            states = self.cell.step(part, states)
            if self.sequences:
                outputs.append(states[0])
        return self._joined(outputs) if self.sequences else states[0], states

    def _masked(self, given: Floats, states: list[Floats], mask: NDArray[np.bool_]) -> tuple[Floats, list[Floats]]:
        zero = output = np.zeros_like(states[0])
        outputs = []
        for part, seen in zip(given, mask.T[..., None], strict=True):
            check_time()
            count = np.count_nonzero(seen)
            after = self.cell.step(part, states) if count else states
            if count == len(seen):
                output, states = after[0], after
            else:
                output = np.where(seen, after[0], zero if self.zero_if_masked else output)
                states = [np.where(seen, now, before) for now, before in zip(after, states, strict=True)]
            if self.sequences:
                outputs.append(output)
        return self._joined(outputs) if self.sequences else output, states

    @staticmethod
    def _joined(outputs: list[Floats]) -> Floats:
        """Return [batch, time, units]."""
        return outputs[0][:, None] if len(outputs) == 1 else np.stack(outputs, axis=1)


class AroundCell(Recurrent):
    """keras.layers.RNN with a cell that its settings describe."""

    @classmethod
    def of(cls, name: str, settings: Settings, weights: Sequence[Floats]) -> Self:
        check(name, settings, known(cell=ANY, **LOOP))
        inner = settings["cell"]
        return cls(settings, weights, _cell(inner["class"], inner["settings"], weights, {}))


def _recurrent(described: Settings, weights: Sequence[Floats]) -> Recurrent:
    name = described["class"]
    if name not in RECURRENT:
        raise Unsupported(f"Bidirectional of {name}")
    return RECURRENT[name].of(name, described["settings"], weights)


class Bidirectional(Layer):
    """Two recurrent layers, one of which reads backwards; their outputs are joined for each step."""

    settings = known(layer=ANY, backward_layer=ANY, merge_mode="concat")

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        half = len(weights) // 2
        self.forward = _recurrent(settings["layer"], weights[:half])
        self.backward = _recurrent(settings["backward_layer"], weights[half:])

    def reset_states(self) -> None:
        self.forward.reset_states()
        self.backward.reset_states()

    def __call__(self, x: Floats, mask: Mask = None) -> Floats:
        backward = self.backward(x, mask)
        if self.backward.sequences:
            backward = backward[:, ::-1]
        return np.concatenate([self.forward(x, mask), backward], axis=-1)


class AttentionDecoder(Layer):
    """Decode with attention, see pipeline.layers.attention: [outputs, places] → [batch, time, units + read]."""

    settings = known(cell=tuple(NAMED), units=ANY, features=ANY)

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        *inner, kernel, bias, self.of_place, score = weights
        self.cell = NAMED[settings["cell"]]({"activation": "tanh", **settings}, inner)
        self.of_state, self.score = (kernel, bias), score[:, 0]

    def __call__(self, inputs: Sequence[Floats], mask: Sequence[Mask] = (None, None)) -> Floats:
        outputs, own = inputs
        memory = np.concatenate([outputs, own], axis=-1)
        keys = memory @ self.of_place
        seen = np.ones(memory.shape[:2], memory.dtype) if mask[0] is None else mask[0].astype(memory.dtype)
        penalty = FAR * (1 - seen)
        states = [np.zeros((len(own), self.cell.units), memory.dtype)] * self.cell.states
        out = []
        for now in own.transpose(1, 0, 2):
            check_time()
            query = np.concatenate([states[0], now], axis=-1) @ self.of_state[0] + self.of_state[1]
            scores = np.tanh(query[:, None] + keys) @ self.score
            read = (softmax(scores - penalty)[:, None] @ memory)[:, 0]
            states = self.cell.step(self.cell.project(np.concatenate([read, now], axis=-1)), states)
            out.append(np.concatenate([states[0], read], axis=-1))
        return np.stack(out, axis=1)


RECURRENT: dict[str, type[Recurrent]] = {"SimpleRNN": Recurrent, "LSTM": Recurrent, "GRU": Recurrent, "RNN": AroundCell}
LAYERS: dict[str, type[Layer]] = {
    **PLAIN,
    **RECURRENT,
    "Bidirectional": Bidirectional,
    "AttentionDecoder": AttentionDecoder,
}
