"""The models that were promoted: one registered model in MLflow for each source and task.

Aliases: `champion` answers, `challenger` was the last to try, `previous` is what a rollback goes back to. Setting
`champion` is the one act that promotes: who is killed before it has changed nothing, who is killed after it has changed
all that counts. MLflow itself lets the last writer of an alias win; `_turn` makes it compare-and-set.
"""

import contextlib
import os
import socket
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import Conflict, DataError
from pipeline.tracking.record import now
from pipeline.tracking.store import code_of

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
LEASE_SECONDS = 120.0  # who takes longer than this between two requests counts as killed
WAIT_SECONDS = 20.0
PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    model: str
    number: int
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"models:/{self.model}/{self.number}"


class Registry:
    """What stands in the registry, and the few acts that change it. `client`: an MlflowClient (tracking.connected)."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def register(self, model: str, run_id: str, model_id: str, tags: Mapping[str, str]) -> Version:
        """The version of that run, made if there is none, and now the challenger."""
        found = self.of_run(model, run_id)
        if found is None:
            self._make(model, {key: tags[key] for key in ("source", "task")})
            # not models:/<model_id>, which MLflow would look up in whatever store the process used first
            place = self.client.get_logged_model(model_id).artifact_location
            made = self.client.create_model_version(model, place, run_id, tags=dict(tags), model_id=model_id)
            found = self.version(model, int(made.version))
        self.client.set_registered_model_alias(model, CHALLENGER, str(found.number))
        return found

    def of_run(self, model: str, run_id: str) -> Version | None:
        rows = self.client.search_model_versions(f"name = '{model}' and run_id = '{run_id}'")
        return _version(max(rows, key=lambda row: int(row.version))) if rows else None

    def version(self, model: str, number: int) -> Version:
        return _version(self.client.get_model_version(model, str(number)))

    def aliased(self, model: str, alias: str) -> Version | None:
        number = self._aliases(model).get(alias)
        return None if number is None else self.version(model, int(number))

    def models(self) -> list[str]:
        """The names of all registered models that the pipeline made."""
        rows, token = [], None
        while True:
            page = self.client.search_registered_models(filter_string="tag.made_by = 'pipeline'", page_token=token)
            rows += [row.name for row in page if "source" in row.tags]
            if not (token := page.token):
                return sorted(rows)

    def tag(self, version: Version, tags: Mapping[str, Any]) -> None:
        for key, value in tags.items():
            self.client.set_model_version_tag(version.model, str(version.number), key, str(value))

    def promote(self, version: Version, expected: int | None, by: str) -> None:
        """Makes the version the champion if version `expected` (None: nothing) still is. Raises Conflict."""
        with self._turn(version.model, by) as alive:
            champion = self._aliases(version.model).get(CHAMPION)
            if champion != (None if expected is None else str(expected)):
                raise Conflict(
                    f"{version.model}: the champion changed from {_named(expected)} to {_named(champion)} meanwhile;"
                    f" version {version.number} was not promoted, run it again to meet the new one"
                )
            self.tag(version, {"promoted_from": expected or "nothing", "promoted_at": now(), "promoted_by": by})
            if time.monotonic() > alive:
                raise Conflict(f"{version.model}: the store took too long; the champion is unchanged, try again")
            self.client.set_registered_model_alias(version.model, CHAMPION, str(version.number))
            self.tidy(version.model)

    def rollback(self, model: str, by: str) -> tuple[Version, Version]:
        """(new champion, old champion): the version before is the champion again. Raises Conflict, DataError."""
        champion, previous = self.aliased(model, CHAMPION), self.aliased(model, PREVIOUS)
        if champion is None:
            known = ", ".join(self.models()) or "none"
            raise DataError(f"{model}: has no champion; registered models: {known}")
        if previous is None:
            raise DataError(f"{model}: version {champion.number} is its first champion, there is none to go back to")
        self.promote(previous, champion.number, by)
        return previous, champion

    def tidy(self, model: str) -> None:
        """Aliases that follow from the champion; again at each reading, for a promoter may have been killed between."""
        aliases = self._aliases(model)
        if (number := aliases.get(CHAMPION)) is None:
            return
        before = self.version(model, int(number)).tags.get("promoted_from", "nothing")
        if before != "nothing" and aliases.get(PREVIOUS) != before:
            self.client.set_registered_model_alias(model, PREVIOUS, before)
        if aliases.get(CHALLENGER) == number:
            self.client.delete_registered_model_alias(model, CHALLENGER)

    def _make(self, model: str, tags: Mapping[str, str]) -> None:
        self._create(model, {"made_by": "pipeline", **tags})

    def _create(self, name: str, tags: Mapping[str, str]) -> bool:
        """Whether the name was free: names are unique in every store, so of two who try one gets it."""
        try:
            self.client.create_registered_model(name, tags=dict(tags))
        except Exception as error:
            # the second when the one that had the name gave it back while MLflow looked whose it is
            if code_of(error) not in ("RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"):
                raise
            return False
        return True

    def _aliases(self, model: str) -> dict[str, str]:
        try:
            return {alias: str(v) for alias, v in self.client.get_registered_model(model).aliases.items()}
        except Exception as error:
            if code_of(error) != "RESOURCE_DOES_NOT_EXIST":
                raise
            return {}

    @contextlib.contextmanager
    def _turn(self, model: str, by: str) -> Iterator[float]:
        """One promoter of a model at a time, on whichever machine: the one who gets a name. Yields the monotonic time
        until which it counts as alive.

        A turn that was left (its holder was killed) is passed over after LEASE_SECONDS by taking the next name. Only
        who holds a higher one removes it, and before its own: so whoever takes a name sees whether those below it are
        still left turns. Raises Conflict after WAIT_SECONDS.
        """
        holder = f"{by} on {socket.gethostname()}, process {os.getpid()}, {uuid.uuid4().hex[:8]}"
        deadline, number = time.monotonic() + WAIT_SECONDS, 1
        while True:
            alive = time.monotonic() + LEASE_SECONDS
            if self._create(_turn_name(model, number), {"holder": holder, "since": str(now())}):
                if all(self._left(_turn_name(model, lower)) for lower in range(1, number)):
                    break
                self.client.delete_registered_model(_turn_name(model, number))
                number = 1
            elif self._left(_turn_name(model, number)):
                number += 1
            elif time.monotonic() > deadline:
                who = (self._tags(_turn_name(model, number)) or {}).get("holder", "somebody")
                raise Conflict(f"{model}: {who} is promoting a version of it; try again")
            else:
                time.sleep(PAUSE_SECONDS)
        try:
            yield alive
        finally:
            if time.monotonic() < alive:
                for mine in range(1, number + 1):
                    self.client.delete_registered_model(_turn_name(model, mine))

    def _left(self, turn: str) -> bool:
        tags = self._tags(turn)
        # one that is being given back is read without its tags
        return tags is not None and "since" in tags and now() - int(tags["since"]) > 1000 * LEASE_SECONDS

    def _tags(self, name: str) -> dict[str, str] | None:
        try:
            return dict(self.client.get_registered_model(name).tags)
        except Exception as error:
            if code_of(error) != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None


def _turn_name(model: str, number: int) -> str:
    return f"{model}.promotion.{number}"


def _version(row: Any) -> Version:
    return Version(row.name, int(row.version), row.run_id, dict(row.tags))


def _named(version: int | str | None) -> str:
    return "none" if version is None else f"version {version}"
