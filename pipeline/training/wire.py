"""Messages between the processes of one training: facts as JSON, arrays as their bytes. Nothing is unpickled."""

import json
import socket
import struct
from collections.abc import Sequence
from multiprocessing.connection import answer_challenge, deliver_challenge
from typing import Any

import numpy as np
from numpy.typing import NDArray

LENGTH = struct.Struct("!Q")
LONGEST = 1 << 16  # bytes of a message from a process that has not shown the key yet
PATIENCE = 10.0  # seconds for it to do so
# Of a connection that says nothing, after which the other machine counts as lost: 30 s, then 6 × 5 s.
ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 6}
Arrays = list[NDArray[Any]]


class Wire:
    """A connection to another process. All methods raise OSError or EOFError if that process has ended."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in ALIVE.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    def send(self, facts: dict[str, Any], arrays: Sequence[NDArray[Any]] = ()) -> None:
        """Send a message."""
        heads = [[array.dtype.str, array.shape] for array in arrays]
        self.send_bytes(json.dumps({"facts": facts, "arrays": heads}).encode())
        for array in arrays:
            self.connection.sendall(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)

    def receive(self) -> tuple[dict[str, Any], Arrays]:
        """Wait for a message, and return its facts and arrays."""
        head = json.loads(self.recv_bytes())
        arrays = [np.empty(shape, dtype) for dtype, shape in head["arrays"]]
        for array in arrays:
            self._fill(array.reshape(-1).view(np.uint8).data)
        return head["facts"], arrays

    def send_bytes(self, content: bytes) -> None:
        """Send bytes with their number before them."""
        self.connection.sendall(LENGTH.pack(len(content)) + content)

    def recv_bytes(self, longest: int | None = None) -> bytes:
        """Wait for bytes that send_bytes sent, at most `longest`."""
        head = bytearray(LENGTH.size)
        self._fill(memoryview(head))
        (length,) = LENGTH.unpack(head)
        if longest is not None and length > longest:
            raise OSError("a message that is too long")
        content = bytearray(length)
        self._fill(memoryview(content))
        return bytes(content)

    def _fill(self, view: memoryview) -> None:
        while view:
            count = self.connection.recv_into(view)
            if not count:
                raise EOFError("the other process has ended")
            view = view[count:]

    def close(self) -> None:
        """End the connection, which ends a worker at its other end."""
        self.connection.close()

    def accept(self, key: bytes) -> None:
        """Check that the other process has the key, and show that this one has it.

        Raises OSError, EOFError or AuthenticationError.
        """
        self.connection.settimeout(PATIENCE)
        deliver_challenge(self, key)  # type: ignore[arg-type]
        answer_challenge(self, key)  # type: ignore[arg-type]
        self.connection.settimeout(None)


def connected(host: str, port: int, key: bytes) -> Wire:
    """Connect to a process that calls Wire.accept with the same key."""
    wire = Wire(socket.create_connection((host, port), PATIENCE))
    try:
        answer_challenge(wire, key)  # type: ignore[arg-type]
        deliver_challenge(wire, key)  # type: ignore[arg-type]
    except BaseException:
        wire.close()
        raise
    wire.connection.settimeout(None)
    return wire
