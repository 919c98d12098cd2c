"""Messages arrive as they were sent, and only those who have the key are let in."""

import socket
import threading
from collections.abc import Iterator
from multiprocessing import AuthenticationError

import numpy as np
import pytest

from pipeline.training.wire import Wire, connected

KEY = b"k" * 32


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def pair(server: socket.socket, ours: bytes, theirs: bytes) -> tuple[Wire, list[object]]:
    """The accepting end, and what the connecting end found."""
    found: list[object] = []

    def connect() -> None:
        try:
            found.append(connected("127.0.0.1", server.getsockname()[1], theirs))
        except (AuthenticationError, OSError, EOFError) as error:
            found.append(error)

    thread = threading.Thread(target=connect)
    thread.start()
    wire = Wire(server.accept()[0])
    try:
        wire.accept(ours)
    finally:
        if ours != theirs:
            wire.close()
        thread.join()
    return wire, found


def test_facts_and_arrays_arrive_as_they_were_sent(server: socket.socket) -> None:
    wire, (other,) = pair(server, KEY, KEY)
    assert isinstance(other, Wire)
    large = np.arange(1_000_000, dtype=np.float32).reshape(1_000, 1_000)
    arrays = [large.T, np.float32(2.5), np.zeros((0, 3), np.int16), np.array([True, False]), np.array([-1, 2**40])]
    sender = threading.Thread(target=wire.send, args=({"reset": True, "text": "ä"}, [np.asarray(a) for a in arrays]))
    sender.start()
    facts, got = other.receive()
    sender.join()
    assert facts == {"reset": True, "text": "ä"}
    for array, expected in zip(got, arrays, strict=True):
        assert array.dtype == np.asarray(expected).dtype
        np.testing.assert_array_equal(array, expected)
    wire.close()
    with pytest.raises(EOFError):
        other.receive()
    other.close()


def test_another_key_is_refused(server: socket.socket) -> None:
    with pytest.raises(AuthenticationError):
        pair(server, KEY, b"x" * 32)


def test_a_stranger_cannot_send_a_message_of_any_length(server: socket.socket) -> None:
    stranger = socket.create_connection(server.getsockname())
    wire = Wire(server.accept()[0])
    stranger.sendall(b"\xff" * 64)
    with pytest.raises((OSError, AuthenticationError)):
        wire.accept(KEY)
    stranger.close()
    wire.close()
