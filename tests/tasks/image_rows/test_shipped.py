"""The rows of the chapter's classifier of images: their numbers as printed."""

from tests.shipped import needs_rows, settings, shipped

NETWORK = {"cell": "simple_rnn", "units": 64, "layers": 1, "bidirectional": False, "patch": 0, "pooling": "last"}


@needs_rows("cifar10-chapter")
def test_the_numbers_of_the_chapter() -> None:
    row, expected = shipped().experiments["cifar10-chapter"], NETWORK | {"optimizer": "adam"}
    assert row.task == "image_rows" and settings(row, expected) == expected
    assert settings(shipped().datasets[row.dataset], ["validation_is_test"]) == {"validation_is_test": True}
