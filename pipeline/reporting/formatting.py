"""Numbers and names as people read them. A minus is a real one, so that columns of signed numbers line up."""

import math

from pipeline.evaluation.metric import HIGHER_IS_BETTER

LABELS = {
    "bits_per_char": "bits per character",
    "accuracy": "accuracy",
    "accuracy_unseen": "accuracy, texts not in train",
    "f1": "F1",
    "log_loss": "log loss",
    "token_accuracy": "word accuracy",
    "padded_accuracy": "accuracy with padding",
    "oov_accuracy": "accuracy on unknown words",
    "sentence_accuracy": "sentences all right",
    "top1_accuracy": "accuracy",
    "rmse": "RMSE",
    "mae": "MAE",
    "mase": "MASE",
    "theil_u": "Theil's U",
    "direction_accuracy": "direction right",
    "r2": "R²",
    "dm_p": "p (Diebold–Mariano)",
    "scaled_rmse": "RMSE of 0–1",
    "interval_coverage": "inside the 90 % interval",
    "window_accuracy": "accuracy on training windows",
    "epoch_seconds": "seconds an epoch",
}
TASKS = {
    "char_lm": "character language model",
    "char_windows": "character model, chapter's windows",
    "sentiment": "sentiment",
    "pos_tagging": "part-of-speech tagging",
    "forecasting": "forecasting",
    "image_rows": "images row by row",
    "returns": "returns of a share",
    "scaled_windows": "scaled windows",
    "padded_texts": "sentiment, the chapters' way",
    "cosine_windows": "windows of a cosine, from scratch",
    "padded_tags": "tagging of padded sentences",
}
CELLS = {
    "simple_rnn": "simple RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "peephole_lstm": "LSTM with peepholes",
    "coupled_lstm": "LSTM with coupled gates",
}
PERCENT = HIGHER_IS_BETTER - {"r2"}  # an R² may be below zero
DECIMALS = {"bits_per_char": 3, "theil_u": 4}  # a share's U is near 1: the third decimal is all there is


def label(metric: str) -> str:
    """The metric's name in words; what follows a known name (a horizon) is kept: mae_4 is "MAE 4"."""
    known = max((name for name in LABELS if metric == name or metric.startswith(f"{name}_")), key=len, default="")
    return f"{LABELS.get(known, '')} {metric[len(known) :].replace('_', ' ').strip()}".strip()


def direction(metric: str) -> str:
    """ "" for what should be neither high nor low, but what it says."""
    if metric.startswith("interval_coverage"):
        return ""
    return "↑" if metric in HIGHER_IS_BETTER else "↓"


def value(metric: str, number: float, sd: float | None = None) -> str:
    """An accuracy as percent with one decimal, DECIMALS of some others, anything else with about four digits."""
    percent = metric in PERCENT
    fixed = f"{100 * number:.1f}" if percent else f"{number:.{DECIMALS.get(metric, 0)}f}"
    shown = fixed if percent or metric in DECIMALS else plain(number)
    spread = "" if sd is None else f" ± {100 * sd:.1f}" if percent else f" ± {_like(sd, shown)}"
    return f"{shown}{spread}{' %' if percent else ''}"


def difference(metric: str, number: float, grain: float | None = None) -> str:
    """With its sign; of accuracies in percentage points. grain: what the last two digits shown should tell apart."""
    if metric in PERCENT:
        return _with_sign(100 * number, 1)
    size = abs(grain or number)
    return _with_sign(number, min(6, max(0, 1 - math.floor(math.log10(size)))) if size else 3)


def unit(metric: str) -> str:
    return "points" if metric in PERCENT else label(metric)


def skill(number: float | None) -> str:
    """As percent; far below zero the figure says no more than that; a dash where the baseline is exact."""
    if number is None:
        return "–"
    return "< −999 %" if number < -9.99 else f"{_with_sign(100 * number, 1 if abs(number) < 0.1 else 0)} %"


def plain(number: float) -> str:
    """Without a unit, three digits or a little more; powers of ten only below 0.001."""
    if 0 < abs(number) < 0.001:
        return signed(f"{number:.2e}")
    return signed(f"{number:,.{_decimals(number)}f}")


def count(number: int) -> str:
    return f"{number:,}"


def scale(metric: str) -> float:
    """What a figure is multiplied by for a picture: an accuracy is drawn in percent."""
    return 100.0 if metric in PERCENT else 1.0


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def phrase(name: str) -> str:
    """A key of a JSON file as words."""
    return name.replace("_", " ")


def signed(text: str) -> str:
    return text.replace("-", "−")


def _with_sign(number: float, decimals: int) -> str:
    shown = f"{number:+,.{decimals}f}"
    return signed(shown) if float(shown.replace(",", "")) else shown[1:]


def _decimals(number: float) -> int:
    bounds = ((1000, 0), (100, 1), (10, 2), (0.1, 3), (0.01, 4))
    return next((decimals for bound, decimals in bounds if abs(number) >= bound), 5 if number else 3)


def _like(number: float, shown: str) -> str:
    """With as many decimals as `shown` has."""
    if "e" in shown:
        return f"{number:.1e}".replace("-", "−")
    return f"{number:,.{len(shown.partition('.')[2])}f}"
