"""Networks of forecasters: chunks of a series with their targets, and batches that fit into it."""

import numpy as np
import pytest

from pipeline.encoding.records import Encoded
from pipeline.encoding.series_features import lookback
from pipeline.errors import DataError
from pipeline.tasks.forecasting.network import Chunks, scaled_truth
from tests.tasks.forecasting.case import CASE


@pytest.mark.parametrize("stateful", [True, False])
def test_chunks_of_a_series_are_its_inputs_with_what_follows_them(stateful: bool) -> None:
    encoded, network = CASE.encoded(), CASE.network_row(stateful=stateful)
    # Inputs that say where they stand.
    places = np.arange(len(encoded.arrays["values"]), dtype=np.float32)[:, None]
    encoded = Encoded({**encoded.arrays, "inputs": places}, encoded.encoder, {}, {})
    feed, truth = Chunks(network, encoded, ("train",)), scaled_truth(encoded, ("train",))
    places_seen = set()
    for seed in range(20):
        chunks = list(feed.batches(np.random.default_rng(seed)))
        assert len(chunks) == feed.steps
        x = np.stack([x[..., 0] for x, _, _ in chunks]).astype(int)  # [steps, batch, time]
        assert x.min() >= lookback(encoded.encoder) and x.max() < len(truth)
        assert (np.diff(x, axis=2) == 1).all()
        continued = (x[1:, :, 0] == x[:-1, :, -1] + 1).all()
        assert continued == stateful
        assert len(set(x.ravel())) == x.size  # nothing twice in an epoch
        for at, (_, y, _) in zip(x, chunks, strict=True):
            np.testing.assert_array_equal(y, truth[at])
        places_seen |= set(x.ravel())
    assert len(places_seen) > 0.9 * (len(truth) - lookback(encoded.encoder))


def test_stateful_and_stateless_training_take_as_many_steps() -> None:
    encoded = CASE.encoded()
    for batch, time_steps in ((8, 10), (3, 7), (5, 64)):
        options = {"batch_size": batch, "time_steps": time_steps}
        networks = [CASE.network_row(stateful=s, **options) for s in (True, False)]
        feeds = [Chunks(network, encoded, ("train",)) for network in networks]
        counts = [len(list(feed.batches(np.random.default_rng(0)))) for feed in feeds]
        assert counts[0] == counts[1] == feeds[0].steps == feeds[1].steps


def test_the_steps_of_the_burn_in_are_no_targets() -> None:
    network = CASE.network_row(burn_in=4)
    for _, y, _ in Chunks(network, CASE.encoded(), ("train",)).batches(np.random.default_rng(0)):
        assert np.isnan(y[:, :4]).all() and not np.isnan(y[:, 4:]).all(axis=(1, 2)).any()


@pytest.mark.fault("short-series")
@pytest.mark.parametrize("stride", [None, 1])
def test_too_large_a_batch_says_what_it_needs_of_a_series(stride: int | None) -> None:
    encoded = CASE.encoded()
    have = len(scaled_truth(encoded, ("train",)))
    spare = have - lookback(encoded.encoder) - 10
    fits = spare // (stride or 10)
    network = CASE.network_row(batch_size=fits, stride=stride)
    assert Chunks(network, encoded, ("train",)).steps == 1
    with pytest.raises(DataError) as caught:
        Chunks(CASE.network_row(batch_size=fits + 1, stride=stride), encoded, ("train",))
    need = have - spare + (stride or 10) * (fits + 1)
    assert f"batch_size {fits + 1} × time_steps 10 needs {need} steps, the training part has {have};" in str(
        caught.value
    )
