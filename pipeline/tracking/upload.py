"""Upload the content of a journal to MLflow: a run with figures and notes, and its model. Uploads can be repeated."""

import contextlib
import hashlib
import io
import json
import re
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.tracking.fingerprint import TAG, fingerprint
from pipeline.tracking.record import Content, ModelFolder

NOTE = "mlflow.note.content"
WRITTEN = "mlflow.note.written"
MAX_NOTE = 8000  # characters; MLflow refuses or truncates longer tags
VIEW = "mlflow.sharedViewState."
PLACE = re.compile(r"\b(run|model|compare):((?:[0-9a-f]{32},?)+)|\b(experiment):(?=/)|\{(tag|param):([^}]+)\}")
PART = 4000  # characters of a tag; longer ones are split, since every version of MLflow cuts them somewhere
PART_OF = re.compile(r"(?P<name>.+)\.part(?P<number>\d+)")
MAX_IN_NOTE = 2000  # characters of a tag in a note
BATCH = {"metrics": 1000, "params": 100, "tags": 100}  # MLflow's limits for one request


def find(client: Any, experiment_ids: Sequence[str], run_key: str) -> Any:
    """Find the run with this key, deleted or not, in one of the MLflow experiments; None if there is none."""
    from mlflow.entities import ViewType

    runs = client.search_runs(list(experiment_ids), f"tags.run_key = '{run_key}'", ViewType.ALL, max_results=1)
    return runs[0] if runs else None


def in_parts(name: str, value: str) -> dict[str, str]:
    """Return the tags that hold a value: one of this name, and `<name>.part2` and so on for a long value."""
    starts = range(0, max(1, len(value)), PART)
    return {name if i == 1 else f"{name}.part{i}": value[at : at + PART] for i, at in enumerate(starts, start=1)}


def joined(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the values of tags that in_parts has split."""
    parts = sorted((int(m["number"]), m["name"], tags[m[0]]) for m in map(PART_OF.fullmatch, tags) if m)
    whole = {name: value for name, value in tags.items() if not PART_OF.fullmatch(name)}
    for _, name, part in parts:
        whole[name] = whole.get(name, "") + part
    return whole


def _open(client: Any, experiment_id: str, content: Content) -> Any:
    run = find(client, [experiment_id], content.run_key)
    if run is None:
        tags = {"run_key": content.run_key}
        return client.create_run(experiment_id, start_time=content.start, tags=tags, run_name=content.run_name)
    if run.info.lifecycle_stage == "deleted":
        client.restore_run(run.info.run_id)
    return run


def send(client: Any, experiment_id: str, content: Content) -> None:
    """Upload the whole content, even if parts were sent before: MLflow stores equal parameters and metrics once."""
    run = _open(client, experiment_id, content)
    run_id = run.info.run_id
    _send_batches(client, run, content)
    _send_inputs(client, run_id, content)
    for path, text in content.texts.items():
        client.log_text(run_id, text, path)
    for item in content.attachments:
        log = client.log_artifacts if Path(item.path).is_dir() else client.log_artifact
        log(run_id, item.path, item.into or None)
    if content.model is not None and "model_id" not in run.data.tags:
        _send_model(client, run, content, content.model)
    for key in content.children:
        client.set_tag(_sent(client, experiment_id, key).info.run_id, "mlflow.parentRunId", run_id)
    _send_notes(client, experiment_id, run_id, content)
    if content.status is not None:
        client.set_terminated(run_id, content.status, content.end)


def _sent(client: Any, experiment_id: str, run_key: str) -> Any:
    """Return a run that was sent before; LookupError if it was not, which keeps the journal that refers to it."""
    run = find(client, [experiment_id], run_key)
    if run is None:
        raise LookupError(f"run {run_key} is not in the store yet")
    return run


def _send_notes(client: Any, experiment_id: str, run_id: str, content: Content) -> None:
    run = client.get_run(run_id)
    model_id = run.data.tags.get("model_id")
    if content.note:
        note = _with_addresses(client, run, content.note)
        _write(partial(client.set_tag, run_id), run.data.tags, note)
        if model_id:
            tags = client.get_logged_model(model_id).tags
            _write(lambda name, value: client.set_logged_model_tags(model_id, {name: value}), tags, note)
    if content.page is not None:
        experiment = client.get_experiment(experiment_id)
        tag = partial(client.set_experiment_tag, experiment_id)
        _write(tag, experiment.tags, _with_addresses(client, run, content.page.note))
        for view in content.page.views:
            kept = json.loads(experiment.tags.get(f"{VIEW}{view.key}", "{}"))
            if kept.get("updatedAt") == kept.get("createdAt"):  # no user has changed the view
                made = experiment.creation_time
                named = {"name": view.name, "createdAt": made, "updatedAt": made}
                tag(f"{VIEW}{view.key}", json.dumps({**named, "state": json.dumps(view.state)}))


def _write(tag: Callable[[str, str], Any], tags: Mapping[str, str], note: str) -> None:
    write_unless_edited(tags.get(NOTE, ""), tags, partial(tag, WRITTEN), partial(tag, NOTE), note[:MAX_NOTE])


def write_unless_edited(
    current: str, tags: Mapping[str, str], mark: Callable[[str], Any], write: Callable[[str], Any], note: str
) -> None:
    """Write the note in place of the current one, unless a user has edited that.

    `mark` sets the tag WRITTEN, which holds the checksums of our previous and our new note. So if the process is killed
    between the two requests, either note is still recognised as ours.
    """
    if not current or _checksum(current) in tags.get(WRITTEN, "").split():
        mark(f"{_checksum(current)} {_checksum(note)}")
        write(note)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _with_addresses(client: Any, run: Any, text: str) -> str:
    """Fill in the placeholders of Journal.note. The addresses begin with #, so they are valid at any host and port."""
    experiment_id = run.info.experiment_id

    def address(match: re.Match[str]) -> str:
        kind, keys, _, of, name = match.groups()
        if name:
            value = str((joined(run.data.tags) if of == "tag" else run.data.params).get(name, "–"))
            return value if len(value) <= MAX_IN_NOTE else f"python -m pipeline trace {run.info.run_id}"
        if kind is None:
            return f"#/experiments/{experiment_id}"
        runs = [_sent(client, experiment_id, key) for key in keys.split(",")]
        if kind == "compare":
            ids = urllib.parse.quote(json.dumps([run.info.run_id for run in runs]))
            return f"#/compare-runs?runs={ids}&experiments={urllib.parse.quote(json.dumps([experiment_id]))}"
        if kind == "model":
            return f"#/experiments/{experiment_id}/models/{runs[0].data.tags.get('model_id')}"
        return f"#/experiments/{experiment_id}/runs/{runs[0].info.run_id}"

    return PLACE.sub(address, text)


def _send_batches(client: Any, run: Any, content: Content) -> None:
    """Send metrics, parameters and tags; link a metric on a logged data set to the run's model and this data set."""
    from mlflow.entities import Metric, Param, RunTag

    run_id, model_id = run.info.run_id, run.data.tags.get("model_id")
    seen = {item.dataset.name: item.dataset.digest for item in (run.inputs.dataset_inputs if run.inputs else [])}

    def metric(row: Any) -> Metric:
        on = (model_id, row.dataset, seen[row.dataset]) if model_id and row.dataset in seen else ()
        return Metric(row.key, row.value, row.timestamp, row.step, *on)

    parts: dict[str, Sequence[Any]] = {
        "metrics": [metric(row) for row in content.metrics],
        "params": [Param(name, value) for name, value in content.params.items()],
        "tags": [RunTag(*part) for tag in content.tags.items() for part in in_parts(*tag).items()],
    }
    for name, rows in parts.items():
        for first in range(0, len(rows), BATCH[name]):
            client.log_batch(run_id, **{name: rows[first : first + BATCH[name]]})


def _send_inputs(client: Any, run_id: str, content: Content) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    for name, uri, digest, context in content.datasets:
        kind, key = ("http", "url") if uri.startswith(("http://", "https://")) else ("local", "uri")
        dataset = Dataset(name, digest, kind, json.dumps({key: uri}))
        client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", context)])])


def _send_model(client: Any, run: Any, content: Content, model: ModelFolder) -> None:
    """Log the model once: replace an incomplete upload; keep a complete one and set only its missing tag."""
    from mlflow.entities import LoggedModelOutput

    run_id, experiment_id = run.info.run_id, run.info.experiment_id
    model_id = None
    for logged in client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'"):
        if logged.status == "READY":
            model_id = logged.model_id
        else:
            client.delete_logged_model(logged.model_id)
    if model_id is None:
        made = client.create_logged_model(
            experiment_id, model.name, run_id, {"run_key": content.run_key}, content.params
        )
        model_id = made.model_id
        with tempfile.TemporaryDirectory() as folder:
            _write_model(model, Path(folder) / "model", made, run_id)
            # before the upload: what comes back from the artifact store later must have the same fingerprint
            client.set_logged_model_tags(model_id, {TAG: fingerprint(Path(folder) / "model")})
            client.log_model_artifacts(model_id, str(Path(folder) / "model"))
        client.finalize_logged_model(model_id, "READY")
    outputs = client.get_run(run_id).outputs
    if model_id not in {output.model_id for output in outputs.model_outputs}:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    client.set_tag(run_id, "model_id", model_id)


def _write_model(model: ModelFolder, folder: Path, made: Any, run_id: str) -> None:
    """Write the files that mlflow.pyfunc.log_model would upload.

    That function would predict the example, and so load TensorFlow. The signature and the example are added after
    saving for the same reason.
    """
    from mlflow import pyfunc
    from mlflow.models import Model, infer_signature
    from mlflow.models.utils import _save_example
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    card = Model(artifact_path=made.artifact_location, model_uuid=made.model_id, run_id=run_id, model_id=made.model_id)
    signature = infer_signature(model.example, model.output, model.parameters)
    # MLflow would refuse integers in an array of floats; the model itself reports input that it cannot read.
    anything = AnyType()  # type: ignore[no-untyped-call]
    signature.inputs = Schema(
        [ColSpec(c.type if isinstance(c.type, DataType) else anything, c.name, c.required) for c in signature.inputs]
    )
    # The first hides advice on type hints, which warning filters do not catch.
    with contextlib.redirect_stderr(io.StringIO()), _requirements_not_compared():
        pyfunc.save_model(
            folder,
            python_model=model.served_by,
            artifacts={"model": Path(model.folder).as_uri()},  # in a plain path MLflow would unescape %41
            code_paths=[model.package],
            signature=signature,
            pip_requirements=model.requirements,
            mlflow_model=card,
        )
    card.signature.outputs, card.signature.params = signature.outputs, signature.params  # type hints would drop both
    _save_example(card, (model.example, model.parameters) if model.parameters else model.example, str(folder))
    card.save(folder / "MLmodel")


@contextlib.contextmanager
def _requirements_not_compared() -> Iterator[None]:
    """Keep MLflow from comparing the requirements with this environment, from which they were read.

    It would list the files of all installed packages, which takes a second for each model.
    """
    from mlflow.utils import environment

    name = "warn_dependency_requirement_mismatches"
    compare = getattr(environment, name, None)  # other versions of MLflow may have no such function
    setattr(environment, name, lambda _: None)
    try:
        yield
    finally:
        setattr(environment, name, compare)
