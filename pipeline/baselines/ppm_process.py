"""Write what PPMd makes of many texts, each the first after the same training: a program for a process of its own.

PPMd cannot be copied, so the process is: a fork writes each text and ends. This process has neither threads nor large
libraries, so that a fork is safe and quick. It reads a pickled (order, bytes of memory, text to train on, texts), and
writes the pickled list of outputs.
"""

import os
import pickle
import sys

import pyppmd


def main() -> None:
    order, memory, before, texts = pickle.load(sys.stdin.buffer)
    encoder = pyppmd.Ppmd7Encoder(order, memory)
    encoder.encode(before)
    pickle.dump([_flushed(encoder, text) for text in texts], sys.stdout.buffer)


def _flushed(encoder: pyppmd.Ppmd7Encoder, text: bytes) -> bytes:
    """Return what the encoder writes for `text`, which leaves the encoder here as it is."""
    reads, writes = os.pipe()
    child = os.fork()
    if not child:
        with os.fdopen(writes, "wb") as pipe:
            pipe.write(encoder.encode(text) + encoder.flush())
        os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as pipe:
        written = pipe.read()
    os.waitpid(child, 0)
    return written


if __name__ == "__main__":
    main()
