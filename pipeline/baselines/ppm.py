"""Measure the bits that PPMd (Shkarin 2002, variant H) needs for a text or for its blocks, after the text before it."""

import math
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int16]
ORDERS = range(3, 11)
MEMORY = 2**28  # bytes at most, enough for 10 million characters; only what is used is taken
BLOCK = 100  # characters that are scored from one state
CONTEXT = 50  # characters that are read before a block, after the training
NEVER = b"\xff"
PROGRAM = Path(__file__).with_name("ppm_process.py")


def added_bits(before: Ids, text: Ids, size: int, order: int) -> int:
    """Return by how many bits the compressed text grows when `text` follows `before`. size: of the alphabet."""
    import pyppmd  # late: every stage imports the tasks, few measure texts

    def length(ids: Ids) -> int:
        encoder = pyppmd.Ppmd7Encoder(order, MEMORY)
        return len(encoder.encode(_bytes(ids, size))) + len(encoder.flush())

    return 8 * (length(np.concatenate([before, text])) - length(before))


def best_order(train: Ids, validation: Ids, size: int) -> int:
    """Return the order that compresses `validation` best after `train`."""
    return min(ORDERS, key=lambda order: added_bits(train, validation, size, order))


def bits_of_blocks(before: Ids, text: Ids, size: int, order: int) -> NDArray[np.float64]:
    """Return float64 [len(text)]: the bits of each character of `text`, the mean over its block.

    Each block is read from the state after `before`, which directly precedes `text`, and CONTEXT characters.
    """
    whole, lead = np.concatenate([before[-CONTEXT:], text]), len(before[-CONTEXT:])
    starts = np.arange(lead, len(whole), BLOCK)
    contexts = [_bytes(whole[max(0, start - CONTEXT) : start], size) for start in starts]
    blocks = [_bytes(whole[start : start + BLOCK], size) for start in starts]
    read = [*contexts, *(context + block for context, block in zip(contexts, blocks, strict=True))]
    after_context, after_block = np.split(_widths(_bytes(before, size), read, order), 2)
    lengths = np.diff(np.append(starts, len(whole)))
    return np.repeat((after_context - after_block) / lengths, lengths)


def _widths(before: bytes, texts: Sequence[bytes], order: int) -> NDArray[np.float64]:
    """Return float64 [texts]: log2 of the width of the interval that the coder has after each, but for a constant.

    Whole bytes would measure a block of a hundred characters to 5 % only. What the coder writes is the lower end of the
    interval. What it writes with one more byte, which never occurs, is all but the upper end, where PPMd puts what it
    does not expect.
    """
    task = pickle.dumps((order, MEMORY, before, [text + more for text in texts for more in (b"", NEVER)]))
    done = subprocess.run([sys.executable, PROGRAM], input=task, stdout=subprocess.PIPE, check=True)
    ends = pickle.loads(done.stdout)
    return np.array([_width(low, high) for low, high in zip(ends[::2], ends[1::2], strict=True)])


def _width(low: bytes, high: bytes) -> float:
    length = max(len(low), len(high))
    lower, upper = (int.from_bytes(end.ljust(length, b"\0"), "big") for end in (low, high))
    return math.log2(upper - lower) - 8 * length


def _bytes(ids: Ids, size: int) -> bytes:
    """Write symbols as bytes other than NEVER, two for each symbol of a large alphabet."""
    if size <= NEVER[0]:
        return ids.astype(np.uint8).tobytes()
    return np.stack(np.divmod(ids, NEVER[0]), axis=-1).astype(np.uint8).tobytes()
