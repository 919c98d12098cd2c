"""The shipped networks as one would write them in PyTorch, for training_steps.py: layers of torch.nn, autograd, its own
optimisers, averages and packed sequences. Needs the extra `torch`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

CELLS = {"simple_rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
OPTIMISERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
Loss = Callable[[Any, Any, Any], Tensor]


def recurrent(row: Any, features: int, units: int | None = None) -> Any:
    between = row.dropout if row.layers > 1 else 0.0
    return CELLS[row.cell](
        features, units or row.units, row.layers, batch_first=True, bidirectional=row.bidirectional, dropout=between
    )


class CharLm(nn.Module):
    """ids [batch, time] → logits; the state is carried from batch to batch."""

    def __init__(self, row: Any, encoder: Mapping[str, Any]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(encoder["symbols"]), row.embedding)
        self.before, self.after = nn.Dropout(row.input_dropout), nn.Dropout(row.dropout)
        self.recurrent = recurrent(row, row.embedding)
        self.logits = nn.Linear(row.units, len(encoder["symbols"]))
        self.state: Any = None

    def forward(self, ids: Tensor) -> Tensor:
        out, state = self.recurrent(self.before(self.embedding(ids)), self.state)
        self.state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        return self.logits(self.after(out))


class Bag(nn.Module):
    """ids [batch, time, features] → the sum of each step's embeddings."""

    def __init__(self, size: int, units: int, scale: bool) -> None:
        super().__init__()
        self.table, self.scale = nn.EmbeddingBag(size, units, mode="sum", padding_idx=0), scale

    def forward(self, ids: Tensor) -> Tensor:
        batch, time, features = ids.shape
        total = self.table(ids.reshape(-1, features)).reshape(batch, time, -1)
        return total / (ids > 0).sum(-1, keepdim=True).clamp(min=1).sqrt() if self.scale else total


def read(layer: Any, x: Tensor, lengths: Tensor) -> Tensor:
    """Apply a recurrent layer to sequences of different lengths."""
    packed = pack_padded_sequence(x, lengths.clamp(min=1), batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=x.shape[1])[0]


def columns(x: Tensor, rate: float) -> Tensor:
    """Drop whole columns of each example."""
    return nn.functional.dropout1d(x.transpose(1, 2), rate).transpose(1, 2)


def max_mean(x: Tensor, present: Tensor) -> Tensor:
    there = present[..., None]
    mean = (x * there).sum(1) / there.sum(1).clamp(min=1)
    return torch.cat([x.masked_fill(~there, -1e9).amax(1), mean], -1)


class Sentiment(nn.Module):
    def __init__(self, row: Any, encoder: Mapping[str, Any]) -> None:
        super().__init__()
        self.row, self.bag = row, Bag(encoder["size"], row.embedding, scale=True)
        self.recurrent = recurrent(row, row.embedding)
        width = 2 * row.units * (1 + row.bidirectional) + row.embedding
        self.classes = nn.Linear(width, len(encoder["label_names"]))

    def forward(self, ids: Tensor) -> Tensor:
        present = (ids > 0).any(-1)
        x = self.bag(ids)
        mean = max_mean(x, present)[:, x.shape[-1] :]
        x = columns(x, self.row.spatial_dropout)
        if self.row.pool_steps > 1:
            batch, _, units = x.shape
            grouped = present.reshape(batch, -1, self.row.pool_steps)
            x = (x * present[..., None]).reshape(batch, -1, self.row.pool_steps, units).sum(2)
            x, present = x / grouped.sum(2, keepdim=True).clamp(min=1).sqrt(), grouped.any(-1)
        x = torch.cat([max_mean(read(self.recurrent, x, present.sum(1)), present), mean], -1)
        return self.classes(nn.functional.dropout(x, self.row.dropout))


class Tagger(nn.Module):
    def __init__(self, row: Any, encoder: Mapping[str, Any]) -> None:
        super().__init__()
        self.row, self.bag = row, Bag(encoder["size"], row.embedding, scale=False)
        self.recurrent = recurrent(row, row.embedding)
        self.tags = nn.Linear(row.units * (1 + row.bidirectional) + row.embedding, len(encoder["tags"]))

    def forward(self, ids: Tensor) -> Tensor:
        x = columns(self.bag(ids), self.row.spatial_dropout)
        context = read(self.recurrent, x, (ids > 0).any(-1).sum(1))
        return self.tags(torch.cat([nn.functional.dropout(context, self.row.dropout), x], -1))


class Forecaster(nn.Module):
    def __init__(self, row: Any, encoder: Mapping[str, Any]) -> None:
        super().__init__()
        self.recurrent, self.after = recurrent(row, encoder["features"]), nn.Dropout(row.dropout)
        self.forecasts, self.state = nn.Linear(row.units, len(encoder["horizons"])), None

    def forward(self, x: Tensor) -> Tensor:
        out, self.state = self.recurrent(x, self.state)
        self.state = self.state.detach()
        return self.forecasts(self.after(out))


class Pictures(nn.Module):
    """Patches read along rows and columns, merged, and read again with twice the units."""

    def __init__(self, row: Any, encoder: Mapping[str, Any]) -> None:
        super().__init__()
        channels = encoder["shape"][2]
        self.row, units = row, 2 * row.units
        self.scale, self.offset = (torch.tensor(255.0 * np.array(encoder[n], "float32")) for n in ("sd", "mean"))
        self.first = nn.ModuleList([recurrent(row, (row.patch + 2) ** 2 * channels), recurrent(row, units)])
        self.second = nn.ModuleList([recurrent(row, 4 * units, units), recurrent(row, 2 * units, units)])
        self.classes = nn.Linear(4 * units, len(encoder["label_names"]))

    def forward(self, pixels: Tensor) -> Tensor:
        size, side = self.row.patch, self.row.patch + 2
        x = nn.functional.pad(((pixels - self.offset) / self.scale).permute(0, 3, 1, 2), (1, 1, 1, 1))
        x = x.unfold(2, side, size).unfold(3, side, size).permute(0, 2, 3, 4, 5, 1).flatten(3)
        x = nn.functional.dropout(self._level(self.first, x), self.row.dropout / 2)
        batch, rows, across, features = x.shape
        x = x.reshape(batch, rows // 2, 2, across // 2, 2 * features).transpose(2, 3).flatten(3)
        x = self._level(self.second, x).flatten(1, 2)
        x = torch.cat([x.amax(1), x.mean(1)], -1)
        return self.classes(nn.functional.dropout(x, self.row.dropout))

    @staticmethod
    def _level(layers: Any, x: Tensor) -> Tensor:
        for layer in layers:
            batch, lines, steps, features = x.shape
            x = layer(x.reshape(-1, steps, features))[0].reshape(batch, lines, steps, -1).transpose(1, 2)
        return x


def _characters(logits: Tensor, y: Tensor, weights: Tensor | None) -> Tensor:
    return nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten().long())


def _classes(row: Any) -> Loss:
    return nn.CrossEntropyLoss(label_smoothing=row.label_smoothing)


def _weighted(row: Any) -> Loss:
    def loss(logits: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        each = nn.functional.cross_entropy(
            logits.transpose(1, 2), y.transpose(1, 2), reduction="none", label_smoothing=row.label_smoothing
        )
        return (each * weights).sum() / weights.sum()

    return loss


def _absolute(forecast: Tensor, y: Tensor, weights: Tensor | None) -> Tensor:
    return (forecast - y).abs().nanmean()


NETWORKS: dict[str, tuple[type[nn.Module], Callable[[Any], Loss]]] = {
    "char_lm": (CharLm, lambda row: _characters),
    "sentiment": (Sentiment, lambda row: lambda out, y, weights: _classes(row)(out, y)),
    "pos_tagging": (Tagger, _weighted),
    "forecasting": (Forecaster, lambda row: _absolute),
    "image_rows": (Pictures, lambda row: lambda out, y, weights: _classes(row)(out, y)),
}


def assign(model: nn.Module, weights: Sequence[Any]) -> None:
    """Give a network the weights of the same one in Keras, in the order of its layers."""
    given = iter(weights)
    for module in model.modules():
        if isinstance(module, nn.Embedding | nn.EmbeddingBag):
            _copy(module.weight, next(given))
        elif isinstance(module, nn.RNNBase):
            for layer in range(module.num_layers):
                for suffix in ("", "_reverse")[: 1 + module.bidirectional]:
                    _assign_direction(module, f"l{layer}{suffix}", given)
        elif isinstance(module, nn.Linear):
            _copy(module.weight, next(given).T)
            _copy(module.bias, next(given))
    assert next(given, None) is None


def _assign_direction(layer: Any, name: str, given: Iterator[Any]) -> None:
    """Assign the kernels and the bias of a recurrent layer's direction. PyTorch has two biases, Keras mostly one."""
    inputs, recurrent, bias = (_gates(layer, next(given)) for _ in range(3))
    _copy(getattr(layer, f"weight_ih_{name}"), inputs.T)
    _copy(getattr(layer, f"weight_hh_{name}"), recurrent.T)
    both = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
    _copy(getattr(layer, f"bias_ih_{name}"), both[0])
    _copy(getattr(layer, f"bias_hh_{name}"), both[1])


def _gates(layer: Any, array: Any) -> Any:
    """Put the gates into PyTorch's order: it begins a GRU with the reset gate, Keras with the update gate."""
    if not isinstance(layer, nn.GRU):
        return array
    update, reset, new = np.split(array, 3, axis=-1)
    return np.concatenate([reset, update, new], axis=-1)


def _copy(parameter: Any, array: Any) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def train(
    row: Any, encoder: Mapping[str, Any], weights: Sequence[Any], fed: Iterator[Any], step: Callable[[float], None]
) -> None:
    """Train for ever on the batches `fed`, from Keras' `weights`, and call `step` with the loss after each."""
    if row.precision == "bfloat16":
        torch.set_float32_matmul_precision("medium")
    network, made = NETWORKS[row.task]
    model, loss_of = network(row, encoder), made(row)
    assign(model, weights)
    optimiser = OPTIMISERS[row.optimizer](model.parameters(), row.learning_rate, weight_decay=row.weight_decay)
    average = torch.optim.swa_utils
    averaged = average.AveragedModel(model, multi_avg_fn=average.get_ema_multi_avg_fn(row.ema_momentum))
    for arrays in fed:
        x, y, weights = (None if array is None else torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)
        optimiser.zero_grad()
        loss = loss_of(model(x), y, weights)
        loss.backward()
        if row.clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), row.clip_norm)
        optimiser.step()
        if row.ema_momentum:
            averaged.update_parameters(model)
        step(loss.item())
