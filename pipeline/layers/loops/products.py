"""Products of a few rows with a matrix that is the same in every step, packed once into panels of WIDTH columns.

A library packs the matrix again in every call, which takes longer than the product of 8 or 16 rows itself. A tile of up
to six rows and WIDTH columns stays in registers while it is added up. That cannot be said in Python, so the tiles are
written in LLVM's language: 6 × 16 numbers are 12 of the 16 vector registers of AVX2, two hold a row of the panel, one a
number of the rows.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from pipeline.layers.loops import compiled

LANES, WIDTH = 8, 16
BYTES = 4
WORD, FLOAT = ir.IntType(64), ir.FloatType()
VECTOR = ir.VectorType(FLOAT, LANES)
UNDEFINED = ir.Constant(VECTOR, ir.Undefined)
FIRST_LANE = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)


def _tile(rows: int) -> Any:
    """Return a compiled function that multiplies `rows` rows with a panel.

    Its arguments are the addresses of rows, panel and result, the numbers from one row to the next in rows and result,
    and the number of rows of the panel.
    """

    @intrinsic  # type: ignore[untyped-decorator]
    def tile(context: Any, left: Any, step: Any, panel: Any, depth: Any, out: Any, out_step: Any) -> Any:
        def generate(context: Any, code: Any, signature: Any, arguments: Any) -> Any:
            _generate(code, rows, *arguments)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), generate

    return tile


def _generate(code: Any, rows: int, left: Any, step: Any, panel: Any, depth: Any, out: Any, out_step: Any) -> None:
    """Write LLVM's code of a tile: the sums stay in registers for all of the panel's rows."""
    zeros = ir.Constant(VECTOR, [0.0] * LANES)
    halves = range(0, WIDTH, LANES)
    sums = [[cgutils.alloca_once_value(code, zeros) for _ in halves] for _ in range(rows)]
    with cgutils.for_range(code, depth) as loop:
        place = code.mul(loop.index, WORD(WIDTH))
        columns = [code.load(_at(code, panel, code.add(place, WORD(half)), VECTOR), align=BYTES) for half in halves]
        for row, of_row in enumerate(sums):
            number = code.load(_at(code, left, code.add(code.mul(step, WORD(row)), loop.index), FLOAT), align=BYTES)
            spread = code.shuffle_vector(
                code.insert_element(UNDEFINED, number, ir.IntType(32)(0)), UNDEFINED, FIRST_LANE
            )
            for total, column in zip(of_row, columns, strict=True):
                product = code.fmul(spread, column, flags=("contract",))
                code.store(code.fadd(code.load(total), product, flags=("contract",)), total)
    for row, of_row in enumerate(sums):
        for half, total in zip(halves, of_row, strict=True):
            place = code.add(code.mul(out_step, WORD(row)), WORD(half))
            code.store(code.load(total), _at(code, out, place, VECTOR), align=BYTES)


def _at(code: Any, base: Any, index: Any, kind: Any) -> Any:
    return code.inttoptr(code.add(base, code.mul(index, WORD(BYTES))), kind.as_pointer())


_tile_1, _tile_2, _tile_4, _tile_6 = map(_tile, (1, 2, 4, 6))


@compiled
def multiply(left: Any, panels: Any, out: Any) -> None:
    """Set out, [rows, panels × WIDTH], to left [rows, depth] times the matrix in panels [panels, depth, WIDTH].

    The rows of left and out may lie apart, the numbers of a row may not.
    """
    rows, depth = left.shape
    step, out_step = left.strides[0] // BYTES, out.strides[0] // BYTES
    for number in range(panels.shape[0]):
        panel = panels.ctypes.data + BYTES * number * depth * WIDTH
        row = 0
        while row < rows:
            start = left.ctypes.data + BYTES * row * step
            target = out.ctypes.data + BYTES * (row * out_step + number * WIDTH)
            if rows - row >= 6 and rows - row != 8:
                _tile_6(start, step, panel, depth, target, out_step)
                row += 6
            elif rows - row >= 4:
                _tile_4(start, step, panel, depth, target, out_step)
                row += 4
            elif rows - row >= 2:
                _tile_2(start, step, panel, depth, target, out_step)
                row += 2
            else:
                _tile_1(start, step, panel, depth, target, out_step)
                row += 1
