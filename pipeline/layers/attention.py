"""Decoders that answer only after the whole sentence: from one repeated vector, or with attention at each step.

Attention is additive (Bahdanau et al. 2015). With the decoder's state s before the step, the encoder's output h[j] at
place j has the score v · tanh(W s + U h[j]). A softmax over the places gives the weights, and the step reads the
weighted sum of the outputs. Both sides also get their place as sinusoids (Vaswani et al. 2017).
"""

from typing import Any

import numpy as np

from pipeline.config.schema.values import named
from pipeline.layers import keras
from pipeline.layers.cells import CELLS
from pipeline.layers.pooling import PACKAGE

FAR = 1e9  # subtracted from the scores of padding
LONGEST_WAVE = 1_000.0  # wavelength in steps / 2π; longer than any sentence, so that no two places look alike
ops = keras.ops


@keras.saving.register_keras_serializable(package=PACKAGE)
class RepeatAlong(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """Repeat a state at each step: [state [batch, units], steps [batch, time, …]] → float32 [batch, time, units]."""

    def call(self, inputs: Any) -> Any:
        state, steps = inputs
        return state[:, None] + ops.zeros_like(steps[..., :1])

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None

    def compute_output_shape(self, shapes: Any) -> Any:
        return (*shapes[1][:2], shapes[0][-1])


@keras.saving.register_keras_serializable(package=PACKAGE)
class Places(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """Encode the places as sines and cosines, the same in each row: [batch, time, …] → float32 [batch, time, width]."""

    def __init__(self, width: int, **options: Any) -> None:
        super().__init__(**options)
        self.width = width

    def call(self, x: Any) -> Any:
        place = ops.cumsum(ops.ones_like(x[..., :1]), axis=1) - 1.0
        angles = place / LONGEST_WAVE ** np.linspace(0.0, 1.0, self.width // 2, dtype="float32")
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return None

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:2], self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable(package=PACKAGE)
class AttentionCell(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """One step of the decoder: attend with the state, then apply `cell` to what was read and the step's own input.

    Call `attend_to` before each pass. The output is the new state and what was read, float32 [batch, units + features].
    """

    def __init__(self, cell: str, units: int, features: int, **options: Any) -> None:
        super().__init__(**options)
        self.kind, self.units, self.features = cell, units, features
        self.cell = named(CELLS, cell, "cell")(units).cell
        self.state_size, self.output_size = self.cell.state_size, units + features
        self.of_state = keras.layers.Dense(units, name="of_state")
        self.of_place = keras.layers.Dense(units, use_bias=False, name="of_place")
        self.score = keras.layers.Dense(1, use_bias=False, name="score")

    def build(self, shape: Any) -> None:
        self.of_state.build((None, self.units + shape[-1]))
        self.of_place.build((None, None, self.features))
        self.score.build((None, None, self.units))
        self.cell.build((None, self.features + shape[-1]))

    def attend_to(self, outputs: Any, mask: Any) -> None:
        """Set what is read. outputs: float32 [batch, places, features]; mask: bool [batch, places] or None."""
        penalty = 0.0 if mask is None else FAR * (1.0 - ops.cast(mask, "float32"))
        self._memory = outputs, self.of_place(outputs), penalty

    def weights_at(self, state: Any, own: Any) -> Any:
        """Return float32 [batch, places]: the weight of each place for a step from `state` with the input `own`."""
        _, keys, penalty = self._memory
        query = self.of_state(ops.concatenate([state, own], axis=-1))
        scores = self.score(ops.tanh(query[:, None] + keys))[..., 0]
        return ops.softmax(scores - penalty, axis=-1)

    def call(self, own: Any, states: Any) -> Any:
        state = states[0] if isinstance(states, (list, tuple)) else states
        read = ops.einsum("bp,bpf->bf", self.weights_at(state, own), self._memory[0])
        out, states = self.cell(ops.concatenate([read, own], axis=-1), states)
        return ops.concatenate([out, read], axis=-1), states

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cell": self.kind, "units": self.units, "features": self.features}


@keras.saving.register_keras_serializable(package=PACKAGE)
class AttentionDecoder(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """Decode with attention: [outputs of the encoder [batch, time, …], places [batch, time, …]] → float32 [batch, time,
    units + features], the state after each step and what the step read.

    features: width of the outputs and the places together, both of which are read.
    """

    def __init__(self, cell: str, units: int, features: int, **options: Any) -> None:
        super().__init__(**options)
        self.kind, self.units, self.features = cell, units, features
        self.step = AttentionCell(cell, units, features, name="step")
        self.steps = keras.layers.RNN(self.step, return_sequences=True, name="steps")

    def build(self, shapes: Any) -> None:
        self.steps.build(shapes[1])

    def call(self, inputs: Any, mask: Any = None) -> Any:
        self.step.attend_to(ops.concatenate(inputs, axis=-1), mask[0] if mask else None)
        return self.steps(inputs[1])

    def alignment(self, inputs: Any, decoded: Any, mask: Any = None) -> Any:
        """Return float32 [batch, steps, places]: the weights that led to `decoded`, from the state before each step."""
        self.step.attend_to(ops.concatenate(inputs, axis=-1), mask)
        before = ops.pad(decoded[:, :-1, : self.units], ((0, 0), (1, 0), (0, 0)))
        steps = [self.step.weights_at(before[:, t], inputs[1][:, t]) for t in range(before.shape[1])]
        return ops.stack(steps, axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None

    def compute_output_shape(self, shapes: Any) -> Any:
        return (*shapes[0][:2], self.units + self.features)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cell": self.kind, "units": self.units, "features": self.features}
