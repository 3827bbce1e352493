"""Panels and their sources: every unit of every product has all of its weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise import cells
from cellwise.backends.cpu.fixed import Fixed
from cellwise.backends.cpu.panels import sources
from cellwise.graph.build import build, parameter
from cellwise.graph.dimension import Dim
from cellwise.graph.node import Node
from cellwise.passes.stages import Elements
from tests.backends.cpu.kernels import DIRECTIONS, kernel_of

SIZES = {"A": 3, "B": 2, "C": 4}


def matrix(name: str, rows: str, columns: str) -> Node:
    return parameter(name, (Dim.of(rows), Dim.of(columns)))


def value(node: Node, parameters: dict[str, torch.Tensor]) -> np.ndarray:
    found = Fixed(parameters, {}, SIZES, torch.float64)(node)
    return found.numpy()


U, V, W = matrix("U", "A", "C"), matrix("V", "B", "C"), matrix("W", "C", "C")
STACKED = build("concat", U, V)  # [5, 4]
MATRICES = [
    U,
    build("transpose", U),
    STACKED,
    build("transpose", STACKED),
    build("transpose", build("transpose", STACKED)),
    build("mul", U, U),
    build("transpose", build("concat", build("mul", U, U), V)),
]


@given(st.data(), st.sampled_from(MATRICES))
def test_the_sources_of_rows_are_these_rows(data, node):
    elements = Elements(SIZES)
    n_all, n_columns = (size.evaluate(SIZES) for size in node.shape)
    row = data.draw(st.integers(0, n_all - 1))
    n_rows = data.draw(st.integers(1, n_all - row))
    rng = np.random.default_rng(0)
    arrays = {
        name: torch.from_numpy(rng.normal(size=shape))
        for name, shape in {"U": (3, 4), "V": (2, 4), "W": (4, 4)}.items()
    }
    found = np.full((n_rows, n_columns), np.nan)
    for source in sources(node, row, n_rows, elements):
        block = value(source.node, arrays)
        block = block.T if source.turned else block
        part = found[:, source.column : source.column + source.n_columns]
        assert np.isnan(part).all()
        part[:] = block[source.row : source.row + n_rows, : source.n_columns]
    np.testing.assert_array_equal(found, value(node, arrays)[row : row + n_rows])


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("sizes", [(1, 1), (5, 11), (16, 33), (40, 100)])
@pytest.mark.parametrize("name", cells.names("chain"))
def test_panels_cover_every_unit_and_stay_inside(name, sizes, direction):
    for kernel in kernel_of(name, direction, sizes).kernels:
        for operand in kernel.operands:
            covered: set[int] = set()
            for run in operand.runs:
                for offset in run.offsets:
                    assert 0 <= offset <= kernel.stage.size - run.width
                    covered |= set(range(offset, offset + run.width))
                n_vectors = (
                    len(operand.slots) if len(operand.slots) > 1 else run.width // kernel.lanes
                )
                assert sum(run.chunks) == n_vectors
            assert covered == set(range(kernel.stage.size))
