"""The rows that train the same forecaster by Keras and by NumPy."""

from tests.shipped import needs_rows, shipped


@needs_rows("cosine", "cosine-from-scratch")
def test_the_row_in_numpy_is_that_of_keras_but_for_its_engine() -> None:
    experiments = shipped().experiments
    by_keras, by_numpy = (experiments[name].model_dump() for name in ("cosine", "cosine-from-scratch"))
    assert {key for key in by_keras if by_keras[key] != by_numpy[key]} == {"engine"}
