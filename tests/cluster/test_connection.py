"""What is said without Ray, and of a cluster that is not there, within seconds."""

import importlib.util
import socket

import pytest

from pipeline.cluster import connection
from pipeline.errors import UserError


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray seems to be installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())


def test_without_ray_the_way_to_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="Ray is not installed here; make ray installs it"):
        connection.refuse_missing()


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("address", ["", "auto", "local"])
def test_ray_itself_finds_a_cluster_without_an_address(address: str) -> None:
    connection.refuse_missing(address)


@pytest.mark.usefixtures("installed")
def test_a_cluster_that_answers_is_used_and_one_that_does_not_is_named() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        connection.refuse_missing(address)
        connection.refuse_missing(f"ray://{address}")
    with pytest.raises(UserError, match=rf"RAY_ADDRESS={address}: no cluster answers there \(.*\); `ray start --head"):
        connection.refuse_missing(address)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("address", ["127.0.0.1:x", "127.0.0.1:", "127.0.0.1:99999999"])
def test_an_address_without_a_port_is_named(address: str) -> None:
    with pytest.raises(UserError, match=f"RAY_ADDRESS={address}: "):
        connection.refuse_missing(address)
