"""Every setting of params.yaml has its effect, and one of an experiment has no other.

SETTINGS and PREPARED change one setting at a time and name the parts of a training that change with it. Settings of the
training loop and of the stages have tests of their own, which SEEN_BY names.
"""

import ast
import json
import random
import re
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import defaults
from pipeline.config.schema.networks import by_hand
from pipeline.config.schema.params import GateRow, Params
from pipeline.config.schema.sources import OwnLabelled, OwnSeries, OwnTagged, OwnText, SourceRow
from pipeline.config.schema.studies import StudyRow
from pipeline.config.schema.tunings import TuningRow
from pipeline.encoding.records import Encoded, TextCorpus
from pipeline.layers import keras
from pipeline.training.course import batches
from pipeline.training.fit import optimizer, trainable
from tests.tasks.case import CASES, Case
from tests.tasks.records import daily_prices, labelled_texts

ROOT = Path(__file__).parents[2]

# What a setting changes: the layers that are built, their first weights, the batches of an epoch, or the loss of
# given predictions. Layers of other sizes have other first weights.
LAYERS, START, BATCHES, LOSS = "layers", "start", "batches", "loss"
NETWORK = frozenset({LAYERS, START})

# Of any task: another value, the parts that change, the tasks that refuse the value.
COMMON: dict[str, tuple[dict[str, Any], frozenset[str], set[str]]] = {
    "cell": ({"cell": "peephole_lstm"}, NETWORK, {"cosine_windows"}),
    "layers": ({"layers": 3}, NETWORK, set()),
    "units": ({"units": 5}, NETWORK, set()),
    "bidirectional": (
        {}, NETWORK, {"char_lm", "char_windows", "forecasting", "cosine_windows"},
    ),
    "batch_size": ({"batch_size": 7}, frozenset({BATCHES}), set()),
}  # fmt: skip

# Of the optimiser, which all tasks but cosine_windows have.
OPTIMISERS: dict[str, dict[str, Any]] = {
    "optimizer": {"optimizer": "sgd"},
    "weight_decay": {"weight_decay": 0.03},
    "clip_norm": {"clip_norm": 0.3, "clip_value": None},
    "clip_value": {"clip_norm": None, "clip_value": 0.3},
}

# Of one task: other values, each with the parts that change; `given`: settings in both networks.
SETTINGS: dict[str, dict[str, tuple[dict[str, Any], set[str]]]] = {
    "char_lm": {
        "ensemble": ({"ensemble": 2}, {LAYERS, START}),
        "stateful": ({"stateful": False}, {LAYERS}),
        "time_steps": ({"time_steps": 20}, {BATCHES}),
        "embedding": ({"embedding": 5}, {LAYERS, START}),
    },
    "sentiment": {
        "ensemble": ({"ensemble": 2}, {LAYERS, START}),
        "embedding": ({"embedding": 5}, {LAYERS, START}),
        "word_dropout": ({"word_dropout": 5.0}, {BATCHES}),
        "feature_dropout": ({"feature_dropout": 0.4}, {BATCHES}),
        "log_ratios": ({"log_ratios": 0.5}, {START}),
        "pool_steps": ({"pool_steps": 2}, {LAYERS}),
        "label_smoothing": ({"label_smoothing": 0.1}, {LOSS}),
    },
    "pos_tagging": {
        "ensemble": ({"ensemble": 2}, {LAYERS, START}),
        "topology": ({"topology": "attention"}, {LAYERS, START}),
        "embedding": ({"embedding": 5}, {LAYERS, START}),
        "word_dropout": ({"word_dropout": 50.0}, {BATCHES}),
        "affix_dropout": ({"affix_dropout": 50.0}, {BATCHES}),
        "label_smoothing": ({"label_smoothing": 0.1}, {LOSS}),
    },
    "forecasting": {
        "ensemble": ({"ensemble": 2}, {LAYERS, START}),
        "stateful": ({"stateful": True, "batch_size": 4}, {LAYERS, BATCHES}),
        "topology": ({"topology": "decoder"}, {LAYERS, START}),
        "loss": ({"loss": "mse"}, {LOSS}),
        "time_steps": ({"time_steps": 12}, {BATCHES}),
        "stride": ({"stride": 3}, {BATCHES}),
        "burn_in": ({"burn_in": 3}, {BATCHES}),
    },
    "image_rows": {
        "ensemble": ({"ensemble": 2}, {LAYERS, START}),
        "topology": ({"topology": "one_to_many", "augment": False}, {LAYERS, START, BATCHES}),
        "patch": ({"patch": 2}, {LAYERS, START}),
        "pooling": ({"pooling": "last"}, {LAYERS, START}),
        "augment": ({"augment": False}, {BATCHES}),
        "permute_rows": ({"permute_rows": True}, {LAYERS}),
        "label_smoothing": ({"label_smoothing": 0.1}, {LOSS}),
    },
    "returns": {
        "ensemble": ({"ensemble": 2}, {LAYERS, START}),
    },
    "char_windows": {
        "embedding": ({"embedding": 5}, {LAYERS, START}),
        "steps_per_epoch": ({"steps_per_epoch": 2}, {BATCHES}),
    },
    "scaled_windows": {
        "stateful": ({"stateful": True}, {LAYERS, BATCHES}),
        "hidden": ({"hidden": 0}, {LAYERS, START}),
        "shuffle": ({"shuffle": False}, {BATCHES}),
    },
    "padded_texts": {
        "embedding": ({"embedding": 5}, {LAYERS, START}),
        "dense": ({"dense": None}, {LAYERS, START}),
    },
    "padded_tags": {"embedding": ({"embedding": 5}, {LAYERS, START})},
    "cosine_windows": {"positive_start": ({"positive_start": True}, {LAYERS, START})},
}

# Rates of dropout: the layer that each one belongs to, what it drops, and the layer that it reads. Two recurrent
# layers "rnn" in each network.
STATE, GATES, WEIGHTS = "recurrent_dropout", "dropout", "weight_dropout"
EVERYWHERE = {key: {f"rnn 1.{key}", f"rnn 2.{key}"} for key in (STATE, WEIGHTS)}
BETWEEN = {"rnn 1 → Dropout"}
RATES: dict[str, dict[str, set[str]]] = {
    "char_lm": {
        "dropout": BETWEEN | {"rnn 2 → Dropout"},
        "input_dropout": {"Embedding → Dropout"},
    },
    "sentiment": {
        "dropout": BETWEEN | {"Concatenate → Dropout"},
        "spatial_dropout": {"BagEmbedding → SpatialDropout1D"},
    },
    "pos_tagging": {
        "dropout": BETWEEN | {"rnn 2 → Dropout"},
        "spatial_dropout": {"BagEmbedding → SpatialDropout1D"},
    },
    "forecasting": {"dropout": BETWEEN | {"rnn 2 → Dropout"}},
    "image_rows": {"dropout": BETWEEN | {"MaxMeanPool → Dropout"}},
    "returns": {
        "dropout": BETWEEN | {"rnn 2 → Dropout"},
        "input_dropout": {"InputLayer → Dropout"},
    },
    "char_windows": {
        "dropout": BETWEEN | {"rnn 2 → Dropout"},
        "input_dropout": {"Embedding → Dropout"},
    },
    "scaled_windows": {"dropout": BETWEEN | {"rnn 2 → Dropout"}},
    "padded_texts": {
        "dropout": BETWEEN | {"rnn 2 → Dropout"},
        "spatial_dropout": {"Embedding → SpatialDropout1D"},
        "recurrent_input_dropout": {"rnn 1.dropout", "rnn 2.dropout"},
    },
    "padded_tags": {
        "dropout": set(),
        "spatial_dropout": {"Embedding → SpatialDropout1D"},
        "recurrent_input_dropout": {"rnn 1.dropout", "rnn 2.dropout"},
    },
    "cosine_windows": {"dropout": set()},
}
REFUSED = {"padded_tags": {"dropout", WEIGHTS}, "cosine_windows": {"dropout", STATE, WEIGHTS}}

# Settings of the training loop and of the stages, each with the test that sees what they do.
FIT, REPEATS = "tests/training/test_fit.py", "tests/training/test_repeats.py"
SEEN_BY = {
    "learning_rate": f"{FIT}::test_a_constant_rate_stays",
    "schedule": f"{FIT}::test_the_cosine_schedule_rises_to_the_rate_and_falls_to_almost_nothing",
    "ema_momentum": f"{FIT}::test_the_average_is_that_of_all_steps_and_training_goes_on_from_the_last",
    "epochs": f"{FIT}::test_the_last_weights_can_be_kept_instead",
    "restore_weights": f"{FIT}::test_the_weights_of_the_best_epoch_are_kept",
    "patience": f"{FIT}::test_patience_ends_the_training",
    "refit": f"{REPEATS}::test_refit_trains_on_train_and_validation_for_as_many_epochs_as_were_best",
    "refit_epochs": f"{REPEATS}::test_a_refit_can_go_on_from_the_validated_weights",
    "repeats": f"{REPEATS}::test_repeats_and_folds_each_get_their_own_seed_and_part",
    "precision": "tests/stages/test_train.py::test_half_precision_is_set_before_anything_is_computed",
    "stateful": "tests/layers/test_cells.py::test_a_carried_state_joins_chunks_and_is_zero_after_a_reset",
    "adaptive_rate": "tests/training/test_dynamic.py::test_a_network_that_goes_on_learning_gains_from_a_repeated_test",
    "gradients": "tests/training/test_gradients.py::test_the_gradient_is_the_slope_of_the_last_loss",
    "kernel": "tests/layers/test_sequences.py::test_the_setting_kernel_leaves_all_to_keras",
    "workers": "tests/training/test_parallel.py::test_workers_train_as_one_process_does",
    "engine": "tests/training/test_from_scratch.py::test_the_weights_are_those_that_keras_trains",
    "truncate": "tests/tasks/textbook/cosine_windows/test_network.py::"
    "test_a_step_is_the_chapters_truncated_after_five_and_clipped",
}
# Of a data set: other values, with which the prepared arrays or what is known of them change.
TEXT = {"lowercase": {"lowercase": False}, "ascii_only": {"ascii_only": True}, "line_ends": {"line_ends": "keep"}}
SHARES = {"validation": {"validation": 0.2}, "test": {"test": 0.3}}
PREPARED: dict[str, dict[str, dict[str, Any]]] = {
    "char_lm": TEXT | SHARES,
    "sentiment": {
        "folds": {"folds": 4},
        "drop_duplicates": {"drop_duplicates": False},
        "min_count": {"min_count": 3},
        "max_features": {"max_features": 5, "folds": 1},
        "max_length": {"max_length": 3},
        "cut": {"cut": "both_ends", "max_length": 3},
        "bigrams": {"bigrams": False},
        "char_ngrams": {"char_ngrams": 2},
        "binary": {"binary": True},
        **{name: change | {"folds": 1} for name, change in SHARES.items()},
    },
    "pos_tagging": {"min_words": {"min_words": 3}} | SHARES,
    "forecasting": {
        "horizons": {"horizons": [1, 2]},
        "seasonal_periods": {"seasonal_periods": [10]},
        "seasonal_means": {"seasonal_means": True},
        "calendar": {"calendar": True},
        "base": {"base": "last"},
    }
    | SHARES,
    "image_rows": {"validation_is_test": {"validation_is_test": True}} | SHARES,
    "returns": {"window": {"window": 7}, "origins": {"origins": 3}} | SHARES,
    "char_windows": TEXT | {"window": {"window": 7}, "stride": {"stride": 3}, "target": {"target": "sequence"}},
    "scaled_windows": {
        "inputs": {"inputs": "mean_price"},
        "scale": {"scale": "standard"},
        "window": {"window": 8},
        "target_offset": {"target_offset": 1},
        "preallocated": {"preallocated": False},
        "test": {"test": 0.4},
        "days": {"days": ["2020-02-01", "2021-01-01", "2021-06-01"]},
    },
    "padded_texts": {
        "vocabulary": {"vocabulary": 5},
        "length": {"length": 4},
        "tokens": {"tokens": "nltk"},
        "validation": {"validation": 0.3},
        "test": {"test": 0.3},
    },
    "padded_tags": {"vocabulary": {"vocabulary": 5}, "length": {"length": 14}, "test": {"test": 0.3}},
    "cosine_windows": {
        "window": {"window": 5},
        "training": {"training": 25},
        "validation_windows": {"validation_windows": 8},
    },
}
TEXT_RECORD = TextCorpus("The Kälte\ncame. " * 200)
TEXTS = labelled_texts()
OPEN = daily_prices()
# Records in which each setting finds something to do, and settings that another one needs.
RECORDS: dict[str, Any] = {
    "char_lm": TEXT_RECORD,
    "char_windows": TEXT_RECORD,
    "sentiment": replace(TEXTS, texts=(*TEXTS.texts[:30], *TEXTS.texts[:30])),
    "padded_texts": replace(TEXTS, texts=tuple(f"{text} isn't :-)" for text in TEXTS.texts)),
    "scaled_windows": replace(OPEN, covariates={**OPEN.covariates, "open": OPEN.values + 1, "close": OPEN.values}),
}
GIVEN: dict[str, dict[str, Any]] = {
    "scaled_windows": {"inputs": "mean_price"},
}

# Settings of data sets that change no array, each with the test that sees what they do.
SEEN_LATER = {
    "protocol": "tests/config/test_loading.py::test_a_mistake_is_named_with_its_key",
    "covariates": "tests/tasks/forecasting/test_task.py::test_covariates_are_inputs_of_their_own_step",
    "lags": "tests/tasks/forecasting/test_task.py::test_lag_features_by_hand",
    "season": "tests/tasks/textbook/scaled_windows/test_task.py::test_baselines_and_figures_by_hand",
    "free_run": "tests/tasks/forecasting/test_task.py::test_a_linear_autoregression_is_exact_on_a_cosine",
}


# The other tables of params.yaml.
FILES, SERIES, TABLES = (
    "tests/sources/test_texts.py",
    "tests/sources/test_own_series.py",
    "tests/sources/test_own_files.py",
)
FOLDERS = "tests/sources/test_own_folders.py"
PLAN, RAY_POOL = "tests/studies/test_plan.py", "tests/studies/test_ray_pool.py"
OTHER = {
    ("top", "seed"): f"{REPEATS}::test_repeats_and_folds_each_get_their_own_seed_and_part",
    (
        "top",
        "edition",
    ): "tests/test_dvc_reads.py::test_a_stage_depends_on_the_settings_that_it_looks_at_and_on_no_other",
    ("top", "cell"): "tests/config/test_loading.py::test_the_top_level_cell_swaps_every_experiment",
    ("top", "executor"): f"{RAY_POOL}::test_without_ray_a_study_names_the_way_to_it_before_any_work",
    ("studies", "experiment"): f"{PLAN}::test_every_combination_is_an_arm_with_the_same_seeds",
    ("studies", "vary"): f"{PLAN}::test_every_combination_is_an_arm_with_the_same_seeds",
    ("studies", "match"): f"{PLAN}::test_arms_of_equal_parameters",
    ("studies", "seeds"): f"{PLAN}::test_every_combination_is_an_arm_with_the_same_seeds",
    ("tunings", "experiment"): "tests/studies/test_search.py::test_the_settings_of_the_experiment_are_the_first_trial",
    ("tunings", "space"): "tests/studies/test_search.py::test_the_best_of_a_known_function_is_found",
    ("tunings", "trials"): "tests/studies/test_search.py::test_more_trials_continue_a_search",
    ("tunings", "minutes"): (
        "tests/studies/test_search.py::test_when_the_minutes_are_over_trials_stop_and_more_minutes_continue_them"
    ),
    ("tunings", "pruning"): "tests/studies/test_search.py::test_a_pruned_trial_is_stopped_in_the_pool",
    ("tunings", "storage"): (
        "tests/stages/test_tune.py::test_an_unknown_tuning_and_an_unreachable_database_are_refused_before_any_work"
    ),
    ("gate", "margin"): "tests/promotion/test_gate.py::test_the_floor_is_the_baseline_less_a_margin",
    ("sources", "reader"): "tests/config/test_loading.py::test_every_source_and_every_task_is_run_by_a_shipped_row",
    ("sources", "pins"): "tests/download/test_probe.py::test_accepted_is_pinned_in_one_line_and_then_downloaded",
    ("own", "path"): f"{TABLES}::test_a_file_that_was_not_imported_says_who_puts_it_there",
    (
        "own",
        "files",
    ): "tests/config/test_own_files.py::test_files_are_in_the_order_of_their_names_and_the_test_part_is_last",
    ("own", "test_files"): f"{FOLDERS}::test_labelled_test_files_are_the_test_part",
    ("own", "even"): f"{FOLDERS}::test_uneven_rows_are_sorted_and_keep_their_days",
    ("own", "encoding"): "tests/encoding/test_decoding.py::test_the_encoding_of_the_row_must_fit_too",
    ("own", "max_dropped"): f"{TABLES}::test_the_row_says_how_much_may_be_dropped",
    ("own", "gutenberg"): f"{FILES}::test_a_gutenberg_file_is_cut_to_its_books",
    ("own", "delimiter"): f"{TABLES}::test_labels_are_named_ordered_and_joined_by_the_row",
    ("own", "header"): f"{TABLES}::test_labels_are_named_ordered_and_joined_by_the_row",
    ("own", "text"): f"{TABLES}::test_labels_are_named_ordered_and_joined_by_the_row",
    ("own", "label"): f"{TABLES}::test_labels_are_named_ordered_and_joined_by_the_row",
    ("own", "labels"): f"{TABLES}::test_labels_are_named_ordered_and_joined_by_the_row",
    ("own", "quoting"): f"{TABLES}::test_without_quoting_a_quote_is_a_letter",
    ("own", "word"): f"{TABLES}::test_columns_by_hand",
    ("own", "tag"): f"{TABLES}::test_columns_by_hand",
    ("own", "documents"): f"{TABLES}::test_documents_begin_where_the_file_says_so",
    ("own", "time"): f"{SERIES}::test_date_and_time_in_two_columns",
    ("own", "value"): f"{SERIES}::test_date_and_time_in_two_columns",
    ("own", "covariates"): f"{SERIES}::test_one_column_decides_the_notation_of_the_others",
    ("own", "missing"): f"{SERIES}::test_marks_of_missing_values_are_refused_and_the_advice_works",
    ("own", "decimal"): f"{SERIES}::test_undecided_thousands_are_refused_and_the_advice_works",
    ("own", "day_first"): f"{SERIES}::test_undecided_dates_are_refused_and_the_advice_works",
    ("own", "frequency"): f"{SERIES}::test_frequencies",
    ("own", "unit"): f"{TABLES}::test_a_series_by_hand",
}


def parts(case: Case, **changes: Any) -> dict[str, str]:
    """Each part of a training with these settings, as text that two equal parts have in common."""
    row, module, encoded = case.network_row(**changes), case.task.network(), prepared(case.task.name)
    random.seed(3)
    model = module.build(row, encoded.encoder, row.batch_size if row.stateful else None)
    if module.start is not None:
        module.start(model, row, encoded, ("train",), 0)
    fed = list(batches(module.feed(row, encoded, ("train",), 0), 3, 1))
    found = {
        LAYERS: re.sub(r'_\d+"', '"', json.dumps(model.get_config(), default=str)),  # Keras numbers the names
        START: digest(trainable(model)),
        BATCHES: digest([array for batch in fed for array in batch if array is not None]),
    }
    if not by_hand(row):
        found[LOSS] = str(loss_of_a_guess(module.loss(row), model, fed[0]))
    return found


@cache
def prepared(name: str) -> Encoded:
    return CASES[name].encoded()


def digest(arrays: list[Any]) -> str:
    return repr([(np.shape(array), zlib.crc32(np.ascontiguousarray(array).tobytes())) for array in arrays])


def loss_of_a_guess(loss: Any, model: Any, batch: Any) -> float:
    """The loss of made-up outputs for a batch; they are probabilities, in case the loss needs some."""
    x, y, weights = batch
    shape = model.compute_output_shape(np.shape(x))
    guess = np.random.default_rng(0).uniform(0.2, 0.8, shape).astype(np.float32)
    return float(loss(y, guess / guess.sum(-1, keepdims=True) if shape[-1] > 1 else guess, sample_weight=weights))


def places(case: Case) -> dict[str, set[str]]:
    """Where each rate acts with two recurrent layers: `layer → dropout` after it, or `layer.option` in it."""
    refused = REFUSED.get(case.task.name, ())
    names = [name for name in (*EVERYWHERE, *RATES[case.task.name]) if name not in refused]
    rates = {0.3 + i / 100: name for i, name in enumerate(names)}
    row = case.network_row(**{name: rate for rate, name in rates.items()}, layers=2)
    model = case.task.network().build(row, prepared(case.task.name).encoder, row.batch_size if row.stateful else None)
    recurrent = [layer for layer in model.layers if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional)]
    called = {layer.name: f"rnn {i}" for i, layer in enumerate(recurrent, 1)}
    found: dict[str, set[str]] = {name: set() for name in names}
    for layer in model.layers:
        if layer.name in called:
            options = getattr(layer, "forward_layer", layer).get_config()
            options |= options.get("cell", {}).get("config", {})
            for option in (STATE, GATES, WEIGHTS):
                if options.get(option) in rates:
                    found[rates[options[option]]].add(f"{called[layer.name]}.{option}")
        elif getattr(layer, "rate", None) in rates:
            before = layer.input._keras_history.operation
            found[rates[layer.rate]].add(f"{called.get(before.name, type(before).__name__)} → {type(layer).__name__}")
    return found


ALL = [(name, key) for name in CASES for key in SETTINGS[name]]
COMMON_ALL = [(name, key) for name in CASES for key, (_, _, refused) in COMMON.items() if name not in refused]


@pytest.fixture(scope="module")
def plain() -> Mapping[str, dict[str, str]]:
    return {name: parts(case) for name, case in CASES.items()}


def changed(name: str, changes: Mapping[str, Any], plain: Mapping[str, dict[str, str]]) -> set[str]:
    found = parts(CASES[name], **changes)
    different = {part for part in found if found[part] != plain[name][part]}
    return different - {LOSS} if BATCHES in different else different  # the loss of another batch says nothing


@pytest.mark.parametrize(("name", "key"), ALL)
def test_a_setting_changes_its_part_of_the_training_and_no_other(
    name: str, key: str, plain: Mapping[str, dict[str, str]]
) -> None:
    changes, expected = SETTINGS[name][key]
    assert changed(name, changes, plain) == expected


@pytest.mark.parametrize(("name", "key"), COMMON_ALL)
def test_a_common_setting_acts_in_every_task(name: str, key: str, plain: Mapping[str, dict[str, str]]) -> None:
    changes, expected, _ = COMMON[key]
    if key == "bidirectional":
        changes = {key: not CASES[name].network_row().bidirectional}
    assert expected <= changed(name, changes, plain)


@pytest.mark.parametrize("key", OPTIMISERS)
def test_a_setting_of_the_optimiser_acts_in_every_task(key: str) -> None:
    for case in CASES.values():
        before, after = case.network_row(), case.network_row(**OPTIMISERS[key])
        if not by_hand(before):
            assert str(optimizer(before).get_config()) != str(optimizer(after).get_config()), case.task.name


@pytest.mark.parametrize("name", CASES)
def test_a_rate_of_dropout_acts_where_it_says(name: str) -> None:
    expected = RATES[name] | EVERYWHERE
    assert places(CASES[name]) == {key: rates for key, rates in expected.items() if key not in REFUSED.get(name, ())}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in CASES for key in PREPARED[name]])
def test_a_setting_of_a_data_set_changes_what_is_trained_on(name: str, key: str) -> None:
    changes = GIVEN.get(name, {}) | PREPARED[name][key]
    without = {setting: value for setting, value in changes.items() if setting != key}
    case = replace(CASES[name], record=RECORDS.get(name, CASES[name].record))
    assert trained_on(case, without) != trained_on(case, changes)


def trained_on(case: Case, settings: Mapping[str, Any]) -> str:
    """The arrays of a data set and the batches of an epoch on it."""
    encoded, row = case.encoded(**settings), case.network_row()
    fed = list(batches(case.task.network().feed(row, encoded, ("train",), 0), 3, 1))
    arrays = [encoded.arrays[part] for part in sorted(encoded.arrays)]
    return digest([*arrays, *(array for batch in fed for array in batch if array is not None)])


def test_every_setting_is_followed_into_its_effect() -> None:
    blocks = defaults._blocks()
    for name in CASES:
        folder = defaults.folders()[name]
        seen = {*COMMON, *OPTIMISERS, *SETTINGS[name], *RATES[name], *EVERYWHERE, "backend", *SEEN_BY}
        assert {*blocks["experiments"]["common"], *blocks["experiments"].get(folder, {})} <= seen, name
        seen = {*PREPARED[name], *SEEN_LATER}
        assert {*blocks["datasets"]["common"], *blocks["datasets"].get(folder, {})} <= seen, name
        row = {*CASES[name].dataset_row().model_dump()} - {"source", "task"}
        assert row <= seen, name


def test_every_key_of_the_other_tables_is_followed_too() -> None:
    own = {key for row in (OwnText, OwnLabelled, OwnTagged, OwnSeries) for key in row.model_fields} - {"reader"}
    tables = {"sources", "own", "recipes", "datasets", "experiments", "gate", "studies", "tunings"}
    keys = {
        *(("studies", key) for key in StudyRow.model_fields),
        *(("tunings", key) for key in TuningRow.model_fields),
        *(("own", key) for key in own),
        *(("sources", key) for key in SourceRow.model_fields),
        *(("gate", key) for key in GateRow.model_fields),
        *(("top", key) for key in {*Params.model_fields} - tables),
    }
    assert keys == {*OTHER}


@pytest.mark.parametrize("test", sorted({*SEEN_BY.values(), *SEEN_LATER.values(), *OTHER.values()}))
def test_the_tests_that_see_the_others_are_there(test: str) -> None:
    path, _, function = test.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
