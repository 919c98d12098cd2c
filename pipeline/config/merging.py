"""params.yaml and textbook/params.yaml as one: tables united, each experiment with the settings of its recipe."""

from collections.abc import Iterator
from typing import Any

from pipeline.config import defaults
from pipeline.config.files import MAIN, SYNTHETIC, TEXTBOOK, Files, Table, block
from pipeline.config.messages import Mistake

SHARED = ("sources", "recipes", "datasets", "experiments")  # the tables that both files may have
QUESTIONS = ("studies", "tunings")  # tables of params.yaml alone, which may be empty
OF_ROWS = ("dataset", "task", "recipe")  # what dvc.yaml looks up in an experiment's row


def merged(files: Files, edition: Any) -> Table:
    """One set of tables, in which an experiment has its recipe's settings, and tasks have their short names.

    In the edition "synthetic", the settings of the blocks `synthetic` replace the others.
    """
    both = dict(files.raw[MAIN])
    for table in SHARED:
        ours, theirs = both.get(table), files.rows(TEXTBOOK, table)
        if isinstance(ours, dict) or (ours is None and theirs):
            both[table] = {**theirs, **(ours or {})}
    for table in ("datasets", "experiments"):
        if isinstance(both.get(table), dict):
            both[table] = {name: _merged_row(files, table, name, row, edition) for name, row in both[table].items()}
    for table in QUESTIONS:
        if isinstance(both.get(table), dict):
            both[table] = {name: _merged_study(row, edition) for name, row in both[table].items()}
    return {**both, "edition": edition} if "edition" in both else both


def _merged_study(row: Any, edition: Any) -> Any:
    if not isinstance(row, dict):
        return row
    settings = {**row, **(block(row) if edition == SYNTHETIC else {})}
    return {key: value for key, value in settings.items() if key != SYNTHETIC}


def _merged_row(files: Files, table: str, name: str, row: Any, edition: Any) -> Any:
    if not isinstance(row, dict):
        return row
    shorts = {folder: task for task, folder in defaults.folders().items()}
    if isinstance(row.get("task"), str):
        row = {**row, "task": shorts.get(row["task"], row["task"])}
    if table != "experiments":
        return row
    settings = {**files.recipe(name), **row, **(files.synthetic(name) if edition == SYNTHETIC else {})}
    return {key: value for key, value in settings.items() if key not in ("recipe", SYNTHETIC)}


def placed(files: Files, mistake: Mistake, edition: Any) -> Mistake:
    """The mistake with the place at which the setting is written: its file, its row or that of the recipe, its block.

    edition: the one for which the tables were merged.
    """
    if len(mistake.where) < 2 or mistake.file:
        return mistake
    table, name, *settings = mistake.where
    key, file = (table, name), files.file_of(table, name)
    row = files.row(*key)
    own = row if isinstance(row, dict) else {}
    if table in QUESTIONS and settings and edition == SYNTHETIC and settings[0] in block(own):
        settings = [SYNTHETIC, *settings]
    if table == "experiments" and settings:
        recipe, setting = files.recipe(name), settings[0]
        if edition == SYNTHETIC and setting in files.synthetic(name):
            own, recipe, settings = block(own), block(recipe), [SYNTHETIC, *settings]
        if setting in recipe.keys() - own.keys():
            table, name = "recipes", str(files.recipe_of(name))
    return Mistake((table, name, *settings), mistake.what, file)


def mistakes(files: Files, *, with_dvc: bool) -> Iterator[Mistake]:
    """What is wrong with the files as such; with_dvc: whether dvc.yaml looks things up in them."""
    for name in files.raw.get(TEXTBOOK, {}):
        if name not in SHARED:
            yield Mistake((str(name),), f"belongs in {MAIN}, whose value holds for both files", TEXTBOOK)
    for table in QUESTIONS:
        if with_dvc and table not in files.raw[MAIN]:
            yield Mistake((table,), f"missing; dvc.yaml looks for it: write `{table}: {{}}`")
    for table in SHARED:
        for name in files.rows(TEXTBOOK, table).keys() & files.rows(MAIN, table).keys():
            yield Mistake((table, str(name)), f"the name is taken in {MAIN}; choose another", TEXTBOOK)
    for file in files.raw:
        yield from _of_recipes(files, file, with_dvc=with_dvc)
        yield from _of_blocks(files, file)
        if with_dvc:
            yield from _of_tasks(files, file)


def _of_recipes(files: Files, file: str, *, with_dvc: bool) -> Iterator[Mistake]:
    recipes, experiments = files.rows(file, "recipes"), files.rows(file, "experiments")
    known = f"known: {', '.join(sorted(map(str, recipes)))}" if recipes else f"{file} has no recipes"
    used = {name: row.get("recipe") for name, row in experiments.items() if isinstance(row, dict)}
    for name, recipe in used.items():
        if recipe is None and with_dvc:
            plain = "" if "none" in recipes else "; or write `recipe: none`, and `none: {}` under recipes"
            yield Mistake(("experiments", str(name), "recipe"), f"missing; {known}{plain}", file)
        if recipe is not None and recipe not in [*recipes]:
            yield Mistake(("experiments", str(name), "recipe"), f"found {recipe!r}; {known}", file)
    for name, row in recipes.items():
        if row and name not in used.values():
            yield Mistake(("recipes", str(name)), "no experiment uses it; add one, or remove the row", file)
        for key in OF_ROWS:
            if isinstance(row, dict) and key in row:
                yield Mistake(("recipes", str(name), key), "belongs in the rows of experiments", file)


def _of_blocks(files: Files, file: str) -> Iterator[Mistake]:
    for table in ("recipes", "experiments", *QUESTIONS):
        for name, row in files.rows(file, table).items():
            written = row.get(SYNTHETIC, {}) if isinstance(row, dict) else {}
            where = (table, str(name), SYNTHETIC)
            if not isinstance(written, dict):
                yield Mistake(where, f"found {written!r}; a block of settings, such as {{epochs: 5}}", file)
                continue
            for key in (*OF_ROWS, SYNTHETIC):
                if key in written:
                    yield Mistake((*where, key), "holds in both editions; write it outside the block", file)


def _of_tasks(files: Files, file: str) -> Iterator[Mistake]:
    for table in ("datasets", "experiments"):
        for name, row in files.rows(file, table).items():
            task = row.get("task") if isinstance(row, dict) else None
            folder = defaults.folders().get(task) if isinstance(task, str) else None
            if folder not in (None, task):
                what = f"found {task!r}; write {folder!r}, its folder in pipeline/tasks"
                yield Mistake((table, str(name), "task"), what, file)
