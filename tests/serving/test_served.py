"""A trained model answers raw input with what was evaluated, anything else with a message, and from MLflow too."""

import base64
import io
import os
import re
import shutil
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline import artifacts
from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.encoding.records import Encoded, network_key, unpack
from pipeline.encoding.text_cleaning import prepare
from pipeline.errors import DataError
from pipeline.serving.served import Served
from pipeline.tasks import TASKS
from pipeline.tasks.forecasting.prepare import targets
from pipeline.tasks.returns.prepare import COLUMNS, days
from pipeline.tasks.textbook.scaled_windows.prepare import bounds
from tests.tasks.case import CASES

LONG = "word " * 20_000
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def served(trained: Project, experiments: dict[str, str]) -> dict[str, Served]:
    return {task: Served(trained.model(name) / "model") for task, name in experiments.items()}


@pytest.fixture(scope="module")
def encoded(trained: Project, experiments: dict[str, str]) -> dict[str, Encoded]:
    return {task: artifacts.load_encoded(trained.prepared(name)) for task, name in experiments.items()}


@pytest.fixture(scope="module")
def stored(trained: Project, experiments: dict[str, str]) -> dict[str, NDArray[Any]]:
    """The first network's predictions for the test rows: the weights that answer are its own."""
    return {
        task: artifacts.load_arrays(trained.predictions(name, name) / "predictions.npz")[network_key(0, "test")]
        for task, name in experiments.items()
    }


def picture(pixels: NDArray[np.uint8], kind: str = "PNG") -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, kind)
    return base64.b64encode(buffer.getvalue()).decode()


Parts = tuple[dict[str, Served], dict[str, Encoded], dict[str, NDArray[Any]]]


@pytest.fixture(scope="module")
def parts(served: dict[str, Served], encoded: dict[str, Encoded], stored: dict[str, NDArray[Any]]) -> Parts:
    return served, encoded, stored


def test_every_task_answers_and_is_asked_here(served: dict[str, Served]) -> None:
    assert set(TASKS) == set(served) == set(CASES)
    for name, task in TASKS.items():
        assert served[name].task is task
        assert served[name].loaded is served[name].loaded, "built once"
        assert served[name].loaded.row.task == name and served[name].loaded.encoder is served[name].encoder


@pytest.mark.parametrize("task", TASKS)
def test_the_example_of_the_signature_has_the_fields_of_an_answer(task: str, served: dict[str, Served]) -> None:
    """An answer has every field that all examples have, and no field that none has, except for one without value."""
    outputs = TASKS[task].serving_example.outputs
    always, ever = set.intersection(*map(set, outputs)), set.union(*map(set, outputs))
    (whole,) = served[task].answer([CASES[task].trained.fine])
    answer = {name: value for name, value in whole.items() if value is not None}
    assert always <= answer.keys() <= ever
    assert "warning" not in always
    for name in always:
        assert type(answer[name]) is type(outputs[0][name]), name


@pytest.mark.parametrize("task", TASKS)
def test_the_example_that_an_encoder_gives_is_answered(task: str, served: dict[str, Served]) -> None:
    example = TASKS[task].serving_example
    if example.of is not None:
        (answer,) = served[task].answer([example.of(served[task].encoder)])
        assert "no values were given" not in answer.get("warning", "")


# What was evaluated


@pytest.mark.parametrize("task", ["sentiment", "padded_texts"])
def test_texts_are_classed_as_in_the_evaluation(task: str, parts: Parts) -> None:
    served, encoded, stored = (part[task] for part in parts)
    texts = unpack(encoded.arrays, np.flatnonzero(encoded.arrays["split"][0] == 2))
    answers = served.answer(texts)
    names = encoded.encoder["label_names"]
    found = np.array([[answer["probabilities"][name] for name in names] for answer in answers])
    np.testing.assert_allclose(found, stored, atol=1e-5)
    assert [answer["label"] for answer in answers] == [names[i] for i in stored.argmax(axis=1)]
    assert [answer["probability"] for answer in answers] == pytest.approx(stored.max(axis=1), abs=1e-5)
    assert found.std(axis=0).min() > 1e-3  # the texts do not all get the same answer


def test_words_are_tagged_as_in_the_evaluation(parts: Parts) -> None:
    served, encoded, stored = (part["pos_tagging"] for part in parts)
    words, offsets = unpack(encoded.arrays, np.arange(len(encoded.arrays["tags"]))), encoded.arrays["offsets"]
    tests = np.flatnonzero(encoded.arrays["split"][0] == 2)
    sentences = [words[offsets[i] : offsets[i + 1]] for i in tests]
    answers = served.answer([" ".join(sentence) for sentence in sentences])
    assert [answer["words"] for answer in answers] == sentences
    assert [tag for answer in answers for tag in answer["tags"]] == [encoded.encoder["tags"][i] for i in stored]
    assert len(set(stored.tolist())) > 3


def test_padded_words_are_tagged_as_in_the_evaluation(parts: Parts) -> None:
    served, encoded, stored = (part["padded_tags"] for part in parts)
    arrays, names = encoded.arrays, [*encoded.encoder["tags"], "<pad>"]
    symbols = {i: word for word, i in encoded.encoder["ids"].items()}
    rows = arrays["words"][arrays["split"][0] == 2]
    sentences = [[symbols[i] for i in row[row > 0]] for row in rows]
    answers = served.answer([" ".join(sentence).upper() for sentence in sentences])
    assert [answer["words"] for answer in answers] == [[w.upper() for w in sentence] for sentence in sentences]
    expected = [[names[t] for t in tags[row > 0]] for row, tags in zip(rows, stored, strict=True)]
    assert [answer["tags"] for answer in answers] == expected
    with pytest.raises(DataError, match="input 1: 49 words; the network reads at most 48"):
        served.answer(["a", "a " * 49])


def test_pictures_are_classed_as_in_the_evaluation(parts: Parts) -> None:
    served, encoded, stored = (part["image_rows"] for part in parts)
    answers = served.answer([picture(pixels) for pixels in encoded.arrays["test_x"]])
    found = np.array([list(answer["probabilities"].values()) for answer in answers])
    np.testing.assert_allclose(found, stored, atol=1e-5)
    assert list(answers[0]["probabilities"]) == encoded.encoder["label_names"]


def test_a_picture_of_any_size_and_kind_is_read(parts: Parts) -> None:
    served, encoded, _ = (part["image_rows"] for part in parts)
    pixels = encoded.arrays["test_x"][0]
    plain = served.answer([picture(pixels)])[0]["probabilities"]
    colours = np.repeat(pixels, 3, axis=2)
    assert served.answer([picture(colours)])[0]["probabilities"] == pytest.approx(plain, abs=0.02)
    large = np.kron(pixels[..., 0], np.ones((7, 7), np.uint8))[..., None]
    jpeg = served.answer([picture(large, "JPEG")])[0]["probabilities"]
    assert jpeg == pytest.approx(plain, abs=0.1)


def test_series_are_forecast_as_in_the_evaluation(parts: Parts) -> None:
    served, encoded, stored = (part["forecasting"] for part in parts)
    origins, _ = targets(encoded, "test")
    values, start = encoded.arrays["values"], np.datetime64(encoded.encoder["start"])
    step = np.timedelta64(encoded.encoder["step_seconds"], "s")
    rows = [0, 7, len(origins) // 2, len(origins) - 1]
    whole = [{"values": values[: origins[i] + 1].tolist(), "start": encoded.encoder["start"]} for i in rows]
    # Only the end of the past, which begins at another time of another day.
    ends = [
        {"values": values[origins[i] - 149 : origins[i] + 1].tolist(), "start": str(start + step * (origins[i] - 149))}
        for i in rows
    ]
    for items in (whole, ends):
        answers = served.answer(items, {"steps": 1})
        assert [len(answer["values"]) for answer in answers] == [1] * len(rows)
        assert [answer["values"][0] for answer in answers] == pytest.approx(stored[rows, 0], rel=1e-5)
        assert [answer["start"] for answer in answers] == [str(start + step * int(origins[i] + 1)) for i in rows]
        assert {answer["unit"] for answer in answers} == {"kW"}
    late = [{**item, "start": "2011-07-03T05:00"} for item in ends]  # the calendar does matter
    assert served.answer(late, {"steps": 1})[0]["values"][0] != pytest.approx(stored[0, 0], rel=1e-5)


def test_the_next_close_is_that_of_the_return_in_the_evaluation(parts: Parts) -> None:
    served, encoded, stored = (part["returns"] for part in parts)
    at = days(encoded, "test", 0)
    items = [{name: encoded.arrays[name][:day].tolist() for name in COLUMNS} for day in at[[0, 9, -1]]]
    for item, day, log_return in zip(items, at[[0, 9, -1]], stored[[0, 9, -1]], strict=True):
        short = {name: column[-encoded.encoder["first"] :] for name, column in item.items()}
        for asked in (item, short):
            (answer,) = served.answer([asked])
            assert answer["log_return"] == pytest.approx(log_return, rel=1e-4, abs=1e-8)
            assert answer["values"] == [pytest.approx(encoded.arrays["values"][day - 1] * np.exp(log_return))]
    latest = {name: encoded.arrays[name].tolist() for name in COLUMNS}
    assert served.answer([{}])[0]["values"] == pytest.approx(served.answer([latest])[0]["values"])


def test_the_next_value_of_a_window_is_that_of_the_evaluation(parts: Parts) -> None:
    served, encoded, stored = (part["scaled_windows"] for part in parts)
    start, values = bounds(encoded, "test")[0], encoded.arrays["values"]
    for i in (0, 5, len(stored) - 1):
        (answer,) = served.answer([{"values": values[: start + i + 3].tolist()}])
        assert answer["values"][0] == pytest.approx(stored[i], rel=1e-5)
    assert served.answer([{}])[0]["values"] == pytest.approx(served.answer([{"values": values.tolist()}])[0]["values"])


def test_a_forecast_goes_on_from_its_own_values_and_from_the_latest_known(parts: Parts) -> None:
    from pipeline.tasks.forecasting.network import roll_out

    served, encoded, _ = (part["forecasting"] for part in parts)
    values = encoded.arrays["values"]
    latest = served.answer([{}], {"steps": 5})[0]
    assert latest.pop("warning").startswith("no values were given")
    item = {"values": values.tolist(), "start": encoded.encoder["start"]}
    assert served.answer([item], {"steps": 5})[0] == latest
    assert len(served.answer([{}])[0]["values"]) == 96
    assert served.answer([item], {"steps": 2})[0]["values"] == latest["values"][:2]  # however many are asked for
    # Beyond the last horizon the one-step forecast is fed back, moved by what it missed there.
    loaded = served.loaded
    rolled, direct = roll_out(loaded.model, loaded.row, loaded.encoder, values, 0, 5)
    assert latest["values"][0] == pytest.approx(rolled[0]) == pytest.approx(direct[0])
    assert latest["values"][3] == pytest.approx(direct[1]) != pytest.approx(rolled[3], rel=1e-3)
    assert latest["values"][4] - latest["values"][3] == pytest.approx(rolled[4] - rolled[3], abs=1e-3)
    third = (direct[1] - rolled[3]) / 3
    assert latest["values"][1:3] == pytest.approx([rolled[1] + third, rolled[2] + 2 * third])


def test_without_a_one_step_horizon_the_line_goes_from_one_horizon_to_the_next(trained: Project) -> None:
    served = Served(trained.model("electricity-day") / "model")
    (answer,) = served.answer([{}], {"steps": 10})
    last, values = served.encoder["latest"]["values"][-1], answer["values"]
    assert served.encoder["horizons"] == [8, 4]
    assert np.diff([last, *values[:4]]) == pytest.approx([(values[3] - last) / 4] * 4)
    assert np.diff(values[3:8]) == pytest.approx([(values[7] - values[3]) / 4] * 4)
    assert values[8:] == [values[7]] * 2 and "after step 8" in answer["warning"]
    assert "after step 8" not in served.answer([{}], {"steps": 8})[0]["warning"]


def test_a_forecast_stands_in_its_interval(parts: Parts) -> None:
    served = parts[0]["forecasting"]
    (answer,) = served.answer([{}], {"steps": 6})
    half = (np.array(answer["upper"]) - answer["lower"]) / 2
    assert (np.array(answer["upper"]) + answer["lower"]) / 2 == pytest.approx(np.array(answer["values"]))
    one, four = served.encoder["interval"]["widths"]
    assert answer["level"] == 0.9 and half == pytest.approx(
        [one, *(one + (four - one) * k / 3 for k in (1, 2, 3)), four, four]
    )
    (close,) = parts[0]["returns"].answer([{}])
    width = parts[0]["returns"].encoder["interval"]["width"]
    assert np.log(close["upper"][0] / close["values"][0]) == pytest.approx(width)
    assert np.log(close["values"][0] / close["lower"][0]) == pytest.approx(width)


def test_the_interval_holds_nine_of_ten_of_the_validation_part_and_is_counted_on_the_test(
    trained: Project, parts: Parts, experiments: dict[str, str]
) -> None:
    for task in ("forecasting", "returns"):
        name = experiments[task]
        predictions = artifacts.load_arrays(trained.predictions(name, name) / "predictions.npz")
        validation = predictions[network_key(0, "validation")]
        interval = parts[0][task].encoder["interval"]
        half = interval["widths"] if task == "forecasting" else interval["width"]
        if task == "forecasting":
            truth = targets(parts[1][task], "validation")[1]
        else:
            truth = parts[1][task].arrays["returns"][days(parts[1][task], "validation", 0)]
        error = np.abs(validation - truth)
        held = np.nanmean(np.where(np.isnan(error), np.nan, error <= half), axis=0)
        assert (held >= 0.9).all() and (held < 0.93).all()
        metrics = artifacts.load_json(trained.metrics(name, name))
        assert metrics["interval_level"] == 0.9 and 0.3 < metrics["test"]["interval_coverage"] <= 1.0


def test_answers_of_several_threads_do_not_mix(parts: Parts) -> None:
    served, options = parts[0]["char_lm"], {"length": 40, "seed": 1}
    prompts = ["the river", "a kettle", "alice was", "said the"] * 2
    alone = [served.answer([prompt], options) for prompt in prompts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda prompt: served.answer([prompt], options), prompts)) == alone


def test_a_text_is_scored_by_how_well_it_is_foreseen(parts: Parts) -> None:
    served, encoded = parts[0]["char_lm"], parts[1]["char_lm"]
    symbols = encoded.encoder["symbols"]
    text = "".join(symbols[i] for i in encoded.arrays["train"][:400]).strip()
    (answer,) = served.answer([text.upper()], {"score": True})
    assert answer["text"] == text and len(answer["bits"]) == len(text) - 1 and "warning" not in answer
    assert answer["bits_per_char"] == pytest.approx(np.mean(answer["bits"]))
    assert answer["perplexity"] == pytest.approx(2 ** answer["bits_per_char"])
    (backwards,) = served.answer([text[::-1]], {"score": True})
    assert answer["bits_per_char"] < backwards["bits_per_char"] - 0.1


def test_generated_text_depends_on_prompt_seed_and_temperature(parts: Parts) -> None:
    served = parts[0]["char_lm"]

    def text(prompt: str, **options: Any) -> str:
        found = served.answer([prompt], {"length": 60, **options})[0]["text"]
        assert isinstance(found, str) and len(found) == 60
        return found

    assert text("the river", seed=1) == text("the river", seed=1)
    assert text("the river", seed=1) != text("the river", seed=2)
    assert text("the river", seed=1) != text("a kettle", seed=1)
    assert text("the river", seed=1, temperature=0.0) == text("the river", seed=2, temperature=0.0)
    assert text("the river", seed=1, temperature=0.0) != text("the river", seed=1, temperature=2.0)
    assert text("THE  River", seed=1) == text(prepare("THE  River", served.encoder), seed=1)
    assert len(served.answer(["x"])[0]["text"]) == 300
    for answer in served.answer(["the river", "a kettle"], {"length": 60, "seed": 1}):
        assert answer["text"] in {text("the river", seed=1), text("a kettle", seed=1)}


def test_a_prompt_of_unknown_characters_is_answered_in_known_ones(parts: Parts) -> None:
    served = parts[0]["char_lm"]
    known = set(served.encoder["symbols"][2:])
    for prompt in ("", "{}~^|", "漢字", "🙂"):
        text = served.answer([prompt], {"length": 200, "temperature": 5.0})[0]["text"]
        assert len(text) == 200 and set(text) <= known


def test_a_loaded_model_writes_what_it_wrote_after_training(trained: Project, served: dict[str, Served]) -> None:
    stored = artifacts.load_json(trained.predictions("alice-chapter", "alice-chapter") / "samples.json")
    final = [sample for sample in stored if "epoch" not in sample]
    assert [sample["temperature"] for sample in final] == [0.0, 0.5, 1.0]
    for sample in final:
        options = {"temperature": sample["temperature"], "seed": 3, "length": 400}
        assert served["char_windows"].answer([sample["prompt"]], options) == [{"text": sample["text"]}]


def test_a_window_is_all_that_a_next_character_depends_on(served: dict[str, Served]) -> None:
    window, options = served["char_windows"].encoder["window"], {"length": 50, "seed": 1}
    (far,), (near,), (other,) = (
        served["char_windows"].answer([prompt], options)
        for prompt in ("a kettle and " + "the rive", "{}~^|the rive", "a kettle")
    )
    assert window == 8 and far == near != other


# Odd input


NUMBERS = [float(i % 9) for i in range(200)]
PNG = picture(np.zeros((8, 8, 1), np.uint8))
SHORT = {name: [1.0] * 50 for name in COLUMNS}


@pytest.mark.parametrize("task", TASKS)
def test_odd_input_gets_an_answer_or_the_message_that_helps(task: str, served: dict[str, Served]) -> None:
    """The cases of the tasks say which; here trained models are asked."""
    assert len(CASES[task].odd) > 5
    short = {"length": 5, "steps": 3}
    options = {name: short[name] for name in short.keys() & dict(TASKS[task].serving_example.options or {}).keys()}
    for item, message in CASES[task].odd:
        if message is None:
            (answer,) = served[task].answer([item], options)
            assert TASKS[task].serving_example.outputs[0].keys() <= answer.keys()
            assert all(answer[key] for key in {"text", "label", "tags", "values"} & set(answer)), item
            assert np.isfinite(answer.get("values", 0.0)).all() and 0.0 <= answer.get("probability", 0.0) <= 1.0
        else:
            with pytest.raises(DataError, match=message):
                served[task].answer([item], options)


@pytest.mark.parametrize("task", [name for name in TASKS if CASES[name].odd_options])
def test_a_wrong_option_is_named(task: str, served: dict[str, Served]) -> None:
    for options in CASES[task].odd_options:
        with pytest.raises(DataError, match=f"^{next(iter(options))}: found "):
            served[task].answer([CASES[task].trained.fine], options)


@pytest.mark.parametrize("task", TASKS)
def test_nothing_gets_no_answer(task: str, served: dict[str, Served]) -> None:
    assert served[task].answer([]) == []


def test_what_is_of_the_wrong_type_is_named(served: dict[str, Served]) -> None:
    with pytest.raises(DataError, match="input 1: found int; a text must be a string"):
        served["sentiment"].answer(["fine", 5])
    with pytest.raises(DataError, match="input 0: no words"):
        served["pos_tagging"].answer([" "])
    with pytest.raises(DataError, match="input 1: not a picture file"):
        served["image_rows"].answer([PNG, "no picture"])
    with pytest.raises(DataError, match=r"more than 96 are needed"):
        served["forecasting"].answer([{"values": [1.0] * 96}])
    with pytest.raises(DataError, match=r"26 days or more, as many of each"):
        served["returns"].answer([SHORT | {"values": [1.0] * 25}])
    with pytest.raises(DataError, match=r"shape \[2\]; 3 or more are needed"):
        served["scaled_windows"].answer([{"values": [1.0] * 2}])


def test_unknown_words_leave_known_ones_their_say(served: dict[str, Served]) -> None:
    texts = ["the Copper Lantern is awesome", "the Copper Lantern is awful", "zzqx vrk", "🙂"]
    good, bad, unknown, none = (a["probabilities"]["positive"] for a in served["sentiment"].answer(texts))
    assert good > bad and unknown == pytest.approx(none, abs=0.3)
    assert served["sentiment"].answer([LONG, "word"])[0]["label"] in ("negative", "positive")


WARNED: dict[str, list[tuple[Any, str | None]]] = {
    "sentiment": [
        ("it is awesome", None),
        ("", "none of its words"),
        ("zzqx", "none of its words"),
        (LONG * 3, "first 100000"),
    ],
    "padded_texts": [("it is awesome", None), ("🙂", "none of its words")],
    "pos_tagging": [("The old man .", None), ("zzqx 漢字", "none of its words"), (LONG, "only the first 1000 words")],
    "char_lm": [("alice", None), ("", "prompt is empty"), ("🙂", "no character of"), (LONG, "last 10000 characters")],
    "forecasting": [
        ({}, "no values were given"),
        ({"values": NUMBERS}, None),
        ({"values": [9.0] * 200}, "all the same"),
    ],
    "returns": [(SHORT, "the price never changes"), ({}, "no values were given")],
    "image_rows": [(PNG, None), (picture(np.zeros((1, 1, 1), np.uint8)), "fewer pixels than the 8 × 8")],
}


@pytest.mark.parametrize(("task", "item", "said"), [(task, *row) for task in WARNED for row in WARNED[task]])
def test_what_may_mislead_is_said_and_nothing_else(
    task: str, item: Any, said: str | None, served: dict[str, Served]
) -> None:
    (answer,) = served[task].answer([item], {"length": 5} if task == "char_lm" else {})
    assert said in answer["warning"] if said else "warning" not in answer


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked(served: dict[str, Served]) -> None:
    header = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR"
    for side in (8_000, 20_000):
        size = side.to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00"
        whole = header + size + zlib.crc32(b"IHDR" + size).to_bytes(4, "big") + b"\x00\x00\x00\x00IDAT" + bytes(4)
        with pytest.raises(DataError, match="pixels"):
            served["image_rows"].answer([base64.b64encode(whole).decode()])


@pytest.mark.parametrize("task", TASKS)
def test_options_are_those_of_the_signature_with_its_defaults(task: str, served: dict[str, Served]) -> None:
    options = dict(TASKS[task].serving_example.options or {})
    assert served[task].answer([CASES[task].trained.fine], options) == served[task].answer([CASES[task].trained.fine])
    known = ", ".join(options) or "none"
    with pytest.raises(DataError, match=f"^colour: no such option; known: {known}$"):
        served[task].answer([CASES[task].trained.fine], options | {"colour": "red"})


# A damaged or foreign model


class Bomb:
    """Its pickle writes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


def edit_json(path: Path, change: Any) -> None:
    artifacts.save_json(path, change(artifacts.load_json(path)))


def edit_weights(folder: Path, change: Any) -> None:
    path = folder / "weights" / "0.npz"
    artifacts.save_arrays(path, change(artifacts.load_arrays(path)))


def without(key: str) -> Any:
    return lambda stored: {name: value for name, value in stored.items() if name != key}


def pickled(folder: Path) -> None:
    bomb = np.array([Bomb(folder / "pwned")], dtype=object)
    np.savez(folder / "weights" / "0.npz", allow_pickle=True, **{"000": bomb})


def first_value(stored: dict[str, Any], value: float) -> dict[str, Any]:
    stored["000"].flat[0] = value
    return stored


DAMAGED: dict[str, tuple[Any, str]] = {
    "no row": (lambda f: (f / "network.json").unlink(), r"network\.json: not found"),
    "half a row": (lambda f: (f / "network.json").write_text('{"task": "sent'), r"network\.json: not a complete JSON"),
    "a list": (
        lambda f: edit_json(f / "network.json", lambda _: []),
        r"network\.json: not the parameters",
    ),
    "no task": (lambda f: edit_json(f / "network.json", without("task")), r"network\.json: not the parameters .*task"),
    "no units": (
        lambda f: edit_json(f / "network.json", lambda row: row | {"units": "many"}),
        r"network\.json: not the parameters of a network, .*units",
    ),
    "code": (
        lambda f: edit_json(f / "network.json", lambda row: row | {"layer": {"class_name": "Lambda", "code": "…"}}),
        r"network\.json: not the parameters of a network, .*layer",
    ),
    "no encoder": (lambda f: edit_json(f / "encoder.json", lambda _: []), r"encoder\.json: found list"),
    "half an encoder": (
        lambda f: edit_json(f / "encoder.json", without("size")),
        r"no network fits .*'size'",
    ),
    "no labels": (lambda f: edit_json(f / "encoder.json", without("label_names")), r"label_names"),
    "a wrong shape": (
        lambda f: edit_weights(f, lambda w: w | {"000": w["000"][:-1]}),
        r"0\.npz: arrays of shapes",
    ),
    "a missing array": (lambda f: edit_weights(f, without("000")), r"0\.npz: arrays of shapes"),
    "NaN": (
        lambda f: edit_weights(f, lambda w: first_value(w, np.nan)),
        r"0\.npz: 000 holds values",
    ),
    "infinite": (lambda f: edit_weights(f, lambda w: first_value(w, np.inf)), r"0\.npz: 000 holds values"),
    "text": (lambda f: edit_weights(f, lambda w: w | {"000": np.array("x")}), r"0\.npz: 000 holds values"),
    "another file": (lambda f: (f / "weights" / "0.npz").write_bytes(b"\x89HDF\r\n\x1a\n"), r"0\.npz: not a complete"),
    "a pickle": (pickled, r"0\.npz: not a complete \.npz file"),
}


@pytest.mark.fault("model-damaged")
@pytest.mark.fault("model-malicious")
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_or_foreign_model_is_named_and_nothing_in_it_is_executed(
    name: str, trained: Project, experiments: dict[str, str], tmp_path: Path
) -> None:
    damage, message = DAMAGED[name]
    folder = shutil.copytree(trained.model(experiments["sentiment"]) / "model", tmp_path / "model")
    (folder / "model.keras").write_bytes(b"PK")  # what nobody asks for is not read
    damage(folder)
    with pytest.raises(DataError, match=message):
        Served(folder).try_out()
    assert not list(tmp_path.rglob("pwned"))


def test_a_whole_model_is_tried_out(served: dict[str, Served]) -> None:
    for one in served.values():
        one.try_out()


# Bounds on the work of a request

TOO_MUCH: dict[str, list[tuple[list[Any], dict[str, Any], str]]] = {
    "sentiment": [
        (["a"] * 1_001, {}, "1001 inputs, and at most 1000 are answered at once; send several"),
        (["x" * 100_000] * 11, {}, "1100000 characters, and at most 1000000"),
    ],
    "padded_texts": [(["x" * 100_000] * 11, {}, "1100000 characters, and at most 1000000")],
    "pos_tagging": [(["word " * 1_000] * 51, {}, "51000 words, and at most 50000")],
    "char_lm": [
        (["a"] * 40, {"length": 5_000}, "200000 characters to write, and at most 20000"),
        (["x" * 10_000] * 101, {"score": True}, "1010000 characters, and at most 1000000"),
    ],
    "char_windows": [(["a"] * 40, {"length": 5_000}, "200000 characters to write, and at most 20000")],
    "forecasting": [([{}] * 6, {"steps": 2_000}, "12000 steps to forecast, and at most 10000")],
    "cosine_windows": [([{}] * 6, {"steps": 2_000}, "12000 steps to forecast, and at most 10000")],
    "image_rows": [([PNG] * 1_001, {}, "1001 inputs")],
}


@pytest.mark.fault("too-much-at-once")
@pytest.mark.parametrize("task", TOO_MUCH)
def test_a_request_for_too_much_is_refused_before_anything_is_computed(task: str, served: dict[str, Served]) -> None:
    for inputs, options, message in TOO_MUCH[task]:
        with pytest.raises(DataError, match=message):
            served[task].answer(inputs, options, seconds=0.0)


NO_NUMBERS: dict[str, list[tuple[Any, str]]] = {
    "forecasting": [
        ({"values": [*NUMBERS, 10**400]}, "all finite"),
        ({"values": [str(x) for x in NUMBERS]}, "a forecast needs"),
        ({"values": [*NUMBERS[:-1], "7"]}, "a forecast needs"),
        ({"values": [*NUMBERS, True]}, "a forecast needs"),
        ({"values": {"0": 1.0}}, "a forecast needs"),
        ({"values": NUMBERS, "strat": "2026-01-01"}, "'strat': an input has no such key; known: values, start"),
        ({"values": NUMBERS, "covariates": {"x": NUMBERS}}, "covariates: the model has none"),
    ],
    "returns": [
        (SHORT | {"high": [10**400] * 50}, "high: must be finite"),
        (SHORT | {"low": ["1"] * 50}, "a forecast needs lists of numbers"),
        (SHORT | {"close": [1.0] * 50}, "'close': an input has no such key"),
    ],
    "scaled_windows": [({"values": ["1"] * 9}, "a forecast needs"), ({"values": [10**400] * 9}, "all finite")],
    "cosine_windows": [({"values": ["1"] * 99}, "a forecast needs"), ({"values": [10**400] * 99}, "all finite")],
}


@pytest.mark.fault("malformed-request")
@pytest.mark.parametrize("task", NO_NUMBERS)
def test_what_looks_like_numbers_is_refused_with_a_sentence(task: str, served: dict[str, Served]) -> None:
    for item, message in NO_NUMBERS[task]:
        with pytest.raises(DataError, match=message):
            served[task].answer([item])


# From MLflow

FRESH = """
import json, sys
import mlflow
model = mlflow.pyfunc.load_model(sys.argv[1])
answers = model.predict([sys.argv[2]])
import pipeline
schema = model.metadata.signature.to_dict()
print(json.dumps({"answers": answers, "code": pipeline.__file__, "inputs": schema["inputs"]}))
"""


@pytest.mark.slow
def test_the_logged_model_answers_alike_in_a_fresh_process(
    trained: Project, experiments: dict[str, str], served: dict[str, Served], tmp_path: Path
) -> None:
    import json

    text = "The Copper Lantern is awesome !"
    record = artifacts.load_json(trained.model(experiments["sentiment"]) / "run.json")
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "DVC_ROOT")}
    environment |= {"MLFLOW_TRACKING_URI": f"sqlite:///{trained.root}/mlflow.db", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", FRESH, f"models:/{record['model_id']}", text],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    found = json.loads(done.stdout.splitlines()[-1])
    (answer,), (expected,) = found["answers"], served["sentiment"].answer([text])
    assert answer["label"] == expected["label"]
    assert answer["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)
    assert Path(found["code"]).is_relative_to(trained.root)  # the code that was logged, not this checkout


# The command line


@pytest.fixture
def in_project(trained: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(trained.root)
    return trained


def printed(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert main([*command]) == 0
    return capsys.readouterr().out


def test_commands_print_answers(
    in_project: Project, experiments: dict[str, str], served: dict[str, Served], parts: Parts,
    capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    for task in ("sentiment", "padded_texts"):
        (good,) = served[task].answer(["it is awesome"])
        lines = printed(capsys, "predict", experiments[task], "it is awesome", "it is awful").splitlines()
        assert lines[0] == f"{good['label']}  {good['probability']:.3f}" and len(lines) == 2
    (tagged,) = served["pos_tagging"].answer(["The old man the boat ."])
    line = printed(capsys, "tag", "treebank", "The old man the boat .")
    assert line.split() == [f"{w}/{t}" for w, t in zip(tagged["words"], tagged["tags"], strict=True)]
    options = {"length": 40, "temperature": 0.5, "seed": 4}
    (told,) = served["char_lm"].answer(["Once upon "], options)
    command = [f"--{key}={value}" for key, value in options.items()]
    assert printed(capsys, "generate", "alice", "--prompt", "Once upon ", *command) == f"Once upon {told['text']}\n"
    assert len(printed(capsys, "tag", "treebank-chapter", "the old man").split()) == 3
    lines = printed(capsys, "forecast", "electricity", "--steps", "3").splitlines()
    (ahead,) = served["forecasting"].answer([{}], {"steps": 3})
    ends = zip(*(ahead[name] for name in ("values", "lower", "upper")), strict=True)
    rows = ["  ".join(f"{value:.6g}" for value in row) for row in ends]
    assert lines == [f"# kW, from {ahead['start']}, value and 90% interval", *rows]
    (close,) = served["returns"].answer([{}])
    row = "  ".join(f"{close[name][0]:.6g}" for name in ("values", "lower", "upper"))
    assert printed(capsys, "forecast", "djia").splitlines() == ["# points, value and 90% interval", row]
    (scored,) = served["char_lm"].answer(["alice was"], {"score": True})
    line = f"{scored['bits_per_char']:.4f} bits per character, perplexity {scored['perplexity']:.3f}\n"
    assert printed(capsys, "generate", "alice", "--prompt", "alice was", "--score") == line
    assert main(["predict", "umich", "zzqx"]) == 0
    assert capsys.readouterr().err == "warning: none of its words is in the model's vocabulary\n"
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, pixels in zip(paths, parts[1]["image_rows"].arrays["test_x"], strict=False):
        path.write_bytes(base64.b64decode(picture(pixels)))
    lines = printed(capsys, "classify", "digits", *map(str, paths)).splitlines()
    assert len(lines) == 2
    for line, path in zip(lines, paths, strict=True):
        assert re.fullmatch(re.escape(str(path)) + r": [0-9]  [01]\.\d{3}", line)


@pytest.mark.fault("damaged-input")
def test_a_command_does_not_ask_a_model_that_was_changed(
    in_project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """It still loads and answers: only its checksum tells."""
    path = in_project.model("umich") / "model" / "encoder.json"
    whole = path.read_bytes()
    path.write_bytes(whole + b"\n")
    try:
        assert main(["predict", "umich", "it is awesome"]) == 2
    finally:
        path.write_bytes(whole)
    out, err = capsys.readouterr()
    assert out == "" and "damaged, so it is not used: " in err and "model/encoder.json" in err


REFUSED = {
    "unknown experiment": (["predict", "nobody", "x"], r"nobody: no trained model .*; trained: .*umich"),
    "wrong task": (
        ["predict", "treebank", "x"],
        r"treebank does part-of-speech tagging; ask it with `python -m pipeline tag`",
    ),
    "no words": (["tag", "treebank", "  "], r"no words"),
    "no picture": (["classify", "digits", "missing.png"], r"missing\.png: No such file .*PNG or JPEG"),
    "folder for a picture": (["classify", "digits", "."], r"PNG or JPEG"),
    "no picture inside": (["classify", "digits", "params.yaml"], r"not a picture file"),
    "too long a text": (["generate", "alice", "--length", "5001"], r"length"),
    "negative temperature": (["generate", "alice", "--temperature", "-1"], r"temperature"),
    "negative seed": (["generate", "alice", "--seed", "-1"], r"seed"),
    "no steps": (["forecast", "electricity", "--steps", "0"], r"steps"),
    "steps of one day": (["forecast", "djia", "--steps", "5"], r"steps: no such option; known: none"),
    "unknown stage row": (["train", "nobody"], r"experiments\.nobody: no such row; known: .*alice"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_answered_ends_with_2_and_a_message(
    name: str, in_project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    command, message = REFUSED[name]
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and "Traceback" not in err
    assert re.search(message, err, re.DOTALL), err
