"""Count character n-grams of texts, each distinct word only once."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

PART = 1_000_000  # indices that are counted at once, since NumPy makes int64 of them


class LetterCounts:
    """Counts what CountVectorizer(analyzer="char_wb") counts: n-grams within words, with a space at either end.

    Such n-grams depend on the word alone. The counts of a text are therefore those of its words, times the n-grams of
    each word: a product of two sparse matrices, which takes less than half of the time on reviews. n-grams that more
    than the share `most` of the fitted texts have are left out.
    """

    def __init__(
        self, preprocessor: Callable[[str], str], lengths: tuple[int, int], dtype: Any, most: float = 1.0
    ) -> None:
        from sklearn.feature_extraction.text import CountVectorizer

        self.preprocessor, self.dtype, self.most = preprocessor, dtype, most
        self.grams = CountVectorizer(analyzer="char_wb", ngram_range=lengths, lowercase=False, dtype=dtype)

    def fit(self, texts: Sequence[str], y: Any = None) -> "LetterCounts":
        """Learn the n-grams of the texts."""
        self.fit_transform(texts)
        return self

    def fit_transform(self, texts: Sequence[str], y: Any = None) -> Any:
        """Learn the n-grams of the texts and return their counts, sparse [texts, n-grams], sorted by n-gram."""
        counts, words = self._words(texts)
        found = _product(counts, self.grams.fit_transform(words))
        parts = np.array_split(found.indices, 1 + found.nnz // PART)
        in_texts = sum(np.bincount(part, minlength=found.shape[1]) for part in parts)
        self.kept = np.flatnonzero(in_texts <= self.most * len(texts))
        return found if len(self.kept) == found.shape[1] else found[:, self.kept]

    def transform(self, texts: Sequence[str]) -> Any:
        """Return the counts of the learned n-grams, sparse [texts, n-grams]."""
        counts, words = self._words(["-", *texts])  # so that there is a word, even if no text has one
        return _product(counts[1:], self.grams.transform(words)[:, self.kept])

    def _words(self, texts: Sequence[str]) -> tuple[Any, Any]:
        from sklearn.feature_extraction.text import CountVectorizer

        words = CountVectorizer(
            preprocessor=self.preprocessor, tokenizer=str.split, token_pattern=None, dtype=self.dtype
        )
        counts = words.fit_transform(texts)
        return counts, words.get_feature_names_out()


def _product(counts: Any, grams: Any) -> Any:
    found = counts @ grams
    found.sort_indices()
    return found
