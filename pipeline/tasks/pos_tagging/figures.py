"""Report figures of pos_tagging: accuracy by sentence length, attention, confused tags, and the worst sentences."""

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import SPLITS, network_key, unpack
from pipeline.reporting import charts, grids
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Element, Picture, Sentences
from pipeline.reporting.formatting import count
from pipeline.reporting.report_data import Experiment, ReportData
from pipeline.tasks.pos_tagging.prepare import in_split, shown_sentences

BORDERS = (11, 21, 31, 41)  # lengths, in words, at which a new group of sentences begins
TAGS, SENTENCES, LONGEST = 12, 5, 60
NOT_IN_TRAINING = "unseen tag"


def figures(data: ReportData) -> list[Element]:
    """Return accuracy by length and attention of all experiments, and the mistakes of the first one."""
    row = data.experiments[0]
    picked = row.test_predictions()[0].astype(np.int64)
    truth = data.encoded.arrays["tags"][in_split(data.encoded, "test")].astype(np.int64)
    shown: list[Element] = [_by_length(data, truth)]
    shown += [_attention(data, r) for r in data.experiments if network_key(0, "attention") in r.predictions]
    if np.array_equal(picked, truth):
        return shown
    names = [*data.encoded.encoder["tags"], NOT_IN_TRAINING]  # the last one has id -1
    return [*shown, _confused(row, truth, picked, names), _sentences(data, row, truth, picked, names)]


def accuracy_by_length(
    lengths: NDArray[np.int64], right: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean length and the percentage of right words for each group of sentences between two BORDERS.

    lengths: int64 [sentences]; right: bool [words]. Both results are float64 [groups that have sentences].
    """
    group = np.digitize(lengths, BORDERS)
    of_word = np.repeat(group, lengths)
    used = np.unique(group)
    means = np.array([lengths[group == i].mean() for i in used])
    return means, np.array([100.0 * right[of_word == i].mean() for i in used])


def _by_length(data: ReportData, truth: NDArray[np.int64]) -> Picture:
    arrays = data.encoded.arrays
    lengths = np.diff(arrays["offsets"])[arrays["split"][0] == SPLITS.index("test")]
    picked = {row.name: row.test_predictions()[0] for row in data.experiments}
    best = data.best_baseline()
    lines = [Line(name, *accuracy_by_length(lengths, tags == truth)) for name, tags in picked.items()]
    if best:
        lines.append(Line(f"{best[0]} (baseline)", *accuracy_by_length(lengths, best[1][0] == truth), rival=True))
    summary = "; ".join(f"{line.name} from {line.y[0]:.1f} to {line.y[-1]:.1f}" for line in lines)
    return Picture(
        "accuracy-by-length",
        "Word accuracy by the length of the sentence",
        f"Percent of words right, from short to long sentences: {summary}",
        charts.lines(lines, "words in the sentence", "words right (%)", whole=True),
        "Test sentences in groups of similar length, drawn at the mean length of each group.",
    )


def _attention(data: ReportData, row: Experiment) -> Picture:
    arrays = data.encoded.arrays
    which = shown_sentences(data.encoded)
    weights = row.predictions[network_key(0, "attention")]
    spans = [np.arange(arrays["offsets"][i], arrays["offsets"][i + 1]) for i in which]
    maps = [(w[: len(s), : len(s)], unpack(arrays, s)) for w, s in zip(weights, spans, strict=True)]
    own = np.mean(np.concatenate([np.diag(w) for w, _ in maps]))
    return Picture(
        "attention",
        f"What {row.name} attends to",
        f"Attention weights in {len(maps)} sentences; a step gives {100 * own:.0f} % to its own word on average",
        grids.heat_maps(maps, "word that is read", "word that is tagged", "attention weight"),
        "The first short test sentences. Each row is a step of the decoder, and its weights sum to 1. On the diagonal "
        f"is the word that the step tags, which gets {100 * own:.0f} % on average.",
        wide=True,
    )


def confused_tags(truth: NDArray[np.int64], picked: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Return int64 [true tags, predicted tags]: counts of mistakes, with an empty diagonal. Id -1 is the last one."""
    counts = np.zeros((size, size), np.int64)
    wrong = truth != picked
    np.add.at(counts, (truth[wrong], picked[wrong]), 1)
    return counts


def _confused(row: Experiment, truth: NDArray[np.int64], picked: NDArray[np.int64], names: list[str]) -> Picture:
    counts = confused_tags(truth, picked, len(names))
    involved = counts.sum(axis=0) + counts.sum(axis=1)
    most = np.argsort(-involved, kind="stable")[: min(TAGS, int(np.sum(involved > 0)))]
    pairs = [np.unravel_index(i, counts.shape) for i in np.argsort(-counts, axis=None, kind="stable")[:3]]
    worst = "; ".join(f"{names[t]} mistaken for {names[p]} {counts[t, p]} times" for t, p in pairs if counts[t, p])
    return Picture(
        "confused-tags",
        f"Tags that {row.name} confuses",
        f"Matrix of the most confused tags: {worst}",
        grids.matrix(counts[np.ix_(most, most)], [names[i] for i in most], shares=False),
        f"Mistakes only, {count(int(counts.sum()))} of {count(len(truth))} words, for the tags with most mistakes.",
    )


def _sentences(
    data: ReportData, row: Experiment, truth: NDArray[np.int64], picked: NDArray[np.int64], names: list[str]
) -> Sentences:
    arrays = data.encoded.arrays
    lengths = np.diff(arrays["offsets"])[arrays["split"][0] == SPLITS.index("test")]
    starts = np.cumsum([0, *lengths[:-1]])
    mistakes = np.add.reduceat(truth != picked, starts, dtype=np.int64)
    words = unpack(arrays, np.flatnonzero(in_split(data.encoded, "test")))
    worst = [i for i in np.argsort(-mistakes, kind="stable")[:SENTENCES] if mistakes[i]]
    shown = []
    for i in worst:
        span = range(starts[i], starts[i] + min(lengths[i], LONGEST))
        notes = [f"{names[truth[w]]} → {names[picked[w]]}" if truth[w] != picked[w] else "" for w in span]
        shown.append([(words[w], note) for w, note in zip(span, notes, strict=True)])
    caption = f"Truth → prediction under each mistake; sentences are cut after {LONGEST} words."
    return Sentences(f"The sentences with the most mistakes of {row.name}", shown, caption)
