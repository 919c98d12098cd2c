"""Letter n-grams counted by distinct word are those that scikit-learn counts by text."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from pipeline.baselines import linear_text
from pipeline.baselines.letters import LetterCounts

TEXTS = ["Ab ab,  a\tab", "An  OLD\u00a0boat<br />sails a", "İstanbul ǅ straße ab", "a"]
LATER = ["boats! ab", "...", " ", "ǆ"]


def test_counts_by_hand() -> None:
    counts = LetterCounts(str.lower, (2, 3), np.float64)
    found = counts.fit_transform(["ab Ab b"])
    names = counts.grams.get_feature_names_out()
    by_hand = {" a": 2, "ab": 2, "b ": 3, " b": 1, " ab": 2, "ab ": 2, " b ": 1}
    assert dict(zip(names, found.toarray()[0], strict=True)) == by_hand
    assert counts.transform(["b c", " "]).toarray().tolist() == [
        [{" b": 1, "b ": 1, " b ": 1}.get(name, 0) for name in names],
        [0] * len(names),
    ]


def test_counts_are_those_of_scikit_learn() -> None:
    ours = LetterCounts(linear_text._plain, (2, 5), np.float64)
    theirs = CountVectorizer(analyzer="char_wb", ngram_range=(2, 5), preprocessor=linear_text._plain)
    assert (ours.fit_transform(TEXTS) != theirs.fit_transform(TEXTS)).nnz == 0
    assert ours.grams.vocabulary_ == theirs.vocabulary_
    assert (ours.transform(LATER) != theirs.transform(LATER)).nnz == 0


def test_common_n_grams_are_left_out() -> None:
    counts = LetterCounts(str.lower, (2, 2), np.float32, most=0.5)
    found = counts.fit_transform(["ab", "ac ac", "ad", "b"])  # " a" is in three texts, "b " in two
    names = counts.grams.get_feature_names_out()[counts.kept]
    assert sorted(names) == [" b", "ab", "ac", "ad", "b ", "c ", "d "]
    assert found.toarray()[1].tolist() == [{"ac": 2, "c ": 2}.get(name, 0) for name in names]
    assert counts.transform(["ab"]).toarray()[0].tolist() == [float(name in ("ab", "b ")) for name in names]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_letters_are_weighted_as_in_scikit_learn(monkeypatch: pytest.MonkeyPatch, dtype: type) -> None:
    monkeypatch.setattr(linear_text, "COMMON", 1.0)
    ours = linear_text._vectoriser(letters=dtype)
    theirs = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), preprocessor=linear_text._plain, sublinear_tf=True, dtype=dtype
    )
    expected = theirs.fit_transform(TEXTS)
    for texts, weights in ((ours.fit_transform(TEXTS), expected), (ours.transform(LATER), theirs.transform(LATER))):
        assert texts.dtype == dtype
        np.testing.assert_allclose(texts.toarray()[:, -weights.shape[1] :], weights.toarray(), rtol=1e-6)
