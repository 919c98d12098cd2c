"""Run a stage of the pipeline, or work with trained models."""

# Stages are many short processes, and most of them only hand their work over: what takes time to import comes late.
from __future__ import annotations

import argparse
import base64
import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError, UserError
from pipeline.handover import hand_over

if TYPE_CHECKING:
    from pipeline.artifacts import Project

STAGES = {
    "download": ("pipeline.stages.download", "run", "a source", "download a source, or generate its synthetic data"),
    "import": ("pipeline.stages.download", "run_import", "a row of own", "copy your own file into the pipeline"),
    "preprocess": ("pipeline.stages.preprocess", "run", "a data set", "read, split and encode a data set"),
    "baseline": ("pipeline.stages.baseline", "run", "a data set", "score naive methods on a data set"),
    "train": ("pipeline.stages.train", "run", "an experiment", "train the networks of an experiment"),
    "evaluate": ("pipeline.stages.evaluate", "run", "an experiment", "score an experiment and its best baseline"),
    "report": ("pipeline.stages.report", "run", "a data set", "write the report on a data set"),
    "index": ("pipeline.stages.index", "run", None, "write the report's index page"),
    "check": ("pipeline.stages.check", "run", None, "check params.yaml, and show what differs from the last commit"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; return 0, or an error's exit code after printing its message."""
    from pipeline.artifacts import here

    arguments = _parser().parse_args(argv)
    try:
        if arguments.command in STAGES:
            from pipeline.stages import run_stage

            module, function, _, _ = STAGES[arguments.command]
            name = [arguments.name] if "name" in arguments else []
            run_stage(here(), arguments.command, getattr(importlib.import_module(module), function), name)
        else:
            run, _ = COMMANDS[arguments.command]
            run(here(), arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code
    return 0


def _running(module: str) -> Callable[[Project, argparse.Namespace], None]:
    """A command that takes no argument: run() of the module, which is imported then."""
    return lambda project, _: importlib.import_module(module).run(project)


def _prune(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.stages import prune

    prune.run(project, confirmed=arguments.yes)


def _sync(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.tracking.delivery import sync

    print(f"{sync(project)} journals sent to MLflow")


def _probe(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.download import probe

    probe.run(project, arguments.source, arguments.accept)


def _systems(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline import artifacts
    from pipeline.reporting import systems
    from pipeline.stages import parameters

    rows = parameters(project).experiments
    paths = {name: project.metrics(row.dataset, name) for name, row in rows.items()}
    results = {name: artifacts.load_json(path) for name, path in paths.items() if path.is_file()}
    for system, title, lines in systems.status(results):
        print(f"{system:4} {title}")
        for name, figures in lines:
            print(f"       {name:36} {figures}".rstrip())


def _skew(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.serving.skew import check

    print(check(project, arguments.experiment, arguments.model, arguments.url, arguments.rows))


def _trace(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.tracking.trace import trace

    print(trace(project, arguments.what))


def _promote(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.promotion import promote
    from pipeline.stages import parameters

    params = parameters(project)
    candidates = [promote.candidate(project, params, name) for name in arguments.experiment]
    for candidate in candidates:
        print(promote.promote(project, candidate, params.gate.margin).line())


def _rollback(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.promotion.promote import rollback

    print(rollback(project, arguments.model).line())


def _champions(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.promotion.promote import champions
    from pipeline.promotion.retrain import CHAMPION_COLUMNS, champion_row
    from pipeline.reproduce.closing import aligned

    rows = [list(CHAMPION_COLUMNS), *(champion_row(*row) for row in champions(project))]
    print("\n".join(aligned(rows)))


def _retrain(project: Project, arguments: argparse.Namespace) -> None:
    from pipeline.promotion.retrain import retrain
    from pipeline.stages import parameters

    given = {"cell": arguments.cell, "edition": arguments.edition}
    settings = [f"{key}={value}" for key, value in given.items() if value]
    retrain(project, parameters(project), arguments.experiment, settings, arguments.base)


def _predict(project: Project, arguments: argparse.Namespace) -> None:
    for answer in _answers(project, arguments, arguments.text, {}):
        print(f"{answer['label']}  {answer['probability']:.3f}")


def _tag(project: Project, arguments: argparse.Namespace) -> None:
    for answer in _answers(project, arguments, arguments.text, {}):
        print(" ".join(f"{word}/{tag}" for word, tag in zip(answer["words"], answer["tags"], strict=True)))


def _generate(project: Project, arguments: argparse.Namespace) -> None:
    options = {name: getattr(arguments, name) for name in ("length", "temperature", "top_p", "seed")}
    if arguments.score:
        for answer in _answers(project, arguments, [arguments.prompt], {"score": True}):
            print(f"{answer['bits_per_char']:.4f} bits per character, perplexity {answer['perplexity']:.3f}")
        return
    for answer in _answers(project, arguments, [arguments.prompt], options):
        print(arguments.prompt + answer["text"])


def _forecast(project: Project, arguments: argparse.Namespace) -> None:
    for answer in _answers(project, arguments, [{}], {} if arguments.steps is None else {"steps": arguments.steps}):
        ends = f", value and {answer['level']:.0%} interval" if "level" in answer else ""
        print(f"# {answer['unit']}" + (f", from {answer['start']}" if answer.get("start") else "") + ends)
        for name, value in answer.get("held", {}).items():
            print(f"# {name} is held at its last value, {value:.6g}")
        columns = [answer[name] for name in ("values", "lower", "upper") if name in answer]
        for row in zip(*columns, strict=True):
            print("  ".join(f"{value:.6g}" for value in row))


def _classify(project: Project, arguments: argparse.Namespace) -> None:
    pictures = [base64.b64encode(_bytes(Path(path))).decode() for path in arguments.picture]
    for path, answer in zip(arguments.picture, _answers(project, arguments, pictures, {}), strict=True):
        print(f"{path}: {answer['label']}  {answer['probability']:.3f}")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; give the path of a PNG or JPEG file") from None


def _answers(
    project: Project, arguments: argparse.Namespace, inputs: list[Any], options: dict[str, Any]
) -> list[dict[str, Any]]:
    from pipeline.serving.served import Served

    folder = project.model(arguments.experiment) / "model"
    if not folder.is_dir():
        trained = sorted(path.name for path in project.model("x").parent.glob("*") if path.is_dir())
        known = ", ".join(trained) or "none; run `dvc repro` to train them"
        raise DataError(f"{arguments.experiment}: no trained model in {folder}; trained: {known}")
    served = Served(folder)
    if served.task.command != arguments.command:
        raise DataError(
            f"{arguments.experiment} does {served.task.title}; ask it with `python -m pipeline {served.task.command}`"
        )
    answers = served.answer(inputs, options)
    for answer in answers:
        if "warning" in answer:
            print(f"warning: {answer['warning']}", file=sys.stderr)
    return answers


COMMANDS: dict[str, tuple[Callable[[Project, argparse.Namespace], None], str]] = {
    "repro": (_running("pipeline.reproduce.repro"), "run all stages that are new or changed; make repro"),
    "verify": (
        _running("pipeline.stages.verify"),
        "hash all data, models and DVC's cache again, and say how to repair what is damaged",
    ),
    "prune": (_prune, "list the results of removed rows, and delete them"),
    "probe": (_probe, "check whether the publishers still offer the pinned files"),
    "sync": (_sync, "send the runs that MLflow has not received yet"),
    "systems": (_systems, "list the textbook's systems with their experiments and figures"),
    "skew": (_skew, "compare a served model's answers to raw test rows with the stored predictions"),
    "trace": (_trace, "show which commit, parameters and data made a file, run or model, and how to reproduce it"),
    "promote": (_promote, "make trained models champions if the gate finds them better"),
    "rollback": (_rollback, "restore the previous champion of a model"),
    "champions": (_champions, "list the champions"),
    "retrain": (_retrain, "pull, reproduce what changed, push, run the gate, and write reports/retrain.md"),
    "predict": (_predict, "use a model: classify texts"),
    "tag": (_tag, "use a model: tag each word with its part of speech"),
    "classify": (_classify, "use a model: classify pictures"),
    "generate": (_generate, "use a model: continue a prompt"),
    "forecast": (_forecast, "use a model: forecast the next values, with intervals"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, (_, _, what, text) in STAGES.items():
        stage = commands.add_parser(
            name, help=text if name == "check" else f"stage: {text}", description=_sentence(text)
        )
        if what:
            stage.add_argument("name", help=f"name of {what} in params.yaml")
        elif name == "index":
            stage.add_argument("name", nargs="?", choices=["textbook"], help="the page of textbook/params.yaml")
    parsers = {
        name: commands.add_parser(name, help=text, description=_sentence(text)) for name, (_, text) in COMMANDS.items()
    }
    _add_tracking(parsers)
    _add_promotion(parsers)
    _add_models(parsers)
    return parser


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _add_tracking(parsers: Mapping[str, argparse.ArgumentParser]) -> None:
    parsers["prune"].add_argument("--yes", action="store_true", help="delete without asking")
    one = parsers["probe"]
    one.add_argument("source", nargs="*", help="sources to check (default: all)")
    one.add_argument("--accept", action="store_true", help="update the pins in params.yaml to the files offered now")
    one = parsers["skew"]
    one.add_argument("experiment", help="a trained experiment; its model answers unless --model or --url is given")
    one.add_argument("--model", help="an MLflow model: its folder, or a URI such as models:/name/3")
    one.add_argument("--url", help="address of `mlflow models serve`, such as http://127.0.0.1:5001")
    one.add_argument("--rows", type=int, default=50, help="maximum number of test rows (default: 50)")
    parsers["trace"].add_argument("what", help="a path, an MLflow run id, or models:/<name>@champion")


def _add_promotion(parsers: Mapping[str, argparse.ArgumentParser]) -> None:
    from pipeline.config.schema.values import EDITIONS

    parsers["promote"].add_argument("experiment", nargs="+", help="trained experiments")
    parsers["rollback"].add_argument("model", help="a registered model, such as umich-sentiment")
    one = parsers["retrain"]
    one.add_argument("experiment", nargs="*", help="experiments to reproduce and judge (default: all)")
    one.add_argument("--cell", help="cell of every experiment")
    one.add_argument("--edition", choices=EDITIONS, help="edition of the data")
    one.add_argument("--base", default="", help="git revision to compare with (default: before the last change)")


def _add_models(parsers: Mapping[str, argparse.ArgumentParser]) -> None:
    for name in ("predict", "tag", "classify", "generate", "forecast"):
        parsers[name].add_argument("experiment", help="a trained experiment")
    parsers["predict"].add_argument("text", nargs="+", help="texts to classify")
    parsers["tag"].add_argument("text", nargs="+", help="sentences, with spaces between words and punctuation")
    parsers["classify"].add_argument("picture", nargs="+", help="PNG or JPEG files")
    one = parsers["generate"]
    one.add_argument("--prompt", default="", help="text to continue (default: none)")
    one.add_argument("--length", type=int, default=300, help="number of characters (default: 300)")
    one.add_argument("--temperature", type=float, default=0.7, help="0 takes the likeliest character (default: 0.7)")
    one.add_argument(
        "--top-p", type=float, default=1.0, help="draw from the likeliest with this probability (default: 1)"
    )
    one.add_argument("--seed", type=int, default=0, help="seed of the random draws (default: 0)")
    one.add_argument("--score", action="store_true", help="print how well the model predicts the prompt, and no text")
    steps = "number of steps, if the model has that option (default: 96)"
    parsers["forecast"].add_argument("--steps", type=int, help=steps)


if __name__ == "__main__":
    ended = hand_over(sys.argv[1:])
    sys.exit(main() if ended is None else ended)
