"""The emitted kernels of all targets: what their inner loops do with the stack, what they call."""

from __future__ import annotations

import re
from functools import cache

import pytest

from cellwise import cells
from cellwise.backends.cpu.listing import Tally, tallies
from cellwise.backends.cpu.target import target
from tests.backends.cpu.forms import PRECISIONS
from tests.backends.cpu.kernels import DIRECTIONS, kernel_of, listing

TARGETS = ("avx512", "avx2", "sse2", "neon")
MANY_REGISTERS = ("avx512", "neon")
SIZES = (64, 64)

FROM_OUTSIDE = {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_"}
"""What LLVM makes of loops that copy; nothing of a library of mathematics."""
CALLED = re.compile(r"^\s+(?:callq?|jmp|bl|b|movabsq)\s+\$?([A-Za-z_]\w*)", re.MULTILINE)

SHARE_OF_SPILLS = 0.015
"""What may be put on the stack of a long loop over elements, where all constants stay at hand."""

cached_listing = cache(listing)


def element_loops(name, direction, on, precision) -> list[Tally]:
    """The inner loops over units, which do the arithmetic."""
    text = cached_listing(name, direction, SIZES, on, precision)[1]
    found = [t for t in tallies(text, target(on)) if t.loop and t.function.startswith("elements")]
    assert found
    return found


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("on", MANY_REGISTERS)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_the_elements_of_plain_cells_do_not_spill(name, direction, on, precision):
    assert not [t for t in element_loops(name, direction, on, precision) if t.n_spills]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("on", MANY_REGISTERS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_elements_of_a_long_cell_hardly_spill(direction, on, precision):
    for tally in element_loops("lstm_layernorm", direction, on, precision):
        assert tally.n_spills <= SHARE_OF_SPILLS * tally.n_instructions


@pytest.mark.parametrize("on", TARGETS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_loops_over_elements_begin_at_a_line(direction, on):
    text = cached_listing("lstm", direction, SIZES, on, "f32")[1]
    aligned = re.findall(r"\.p2align\s+6\b", text)
    assert len(aligned) == len(element_loops("lstm", direction, on, "f32"))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("on", TARGETS)
@pytest.mark.parametrize("name", ["lstm", "gru", "lstm_layernorm"])
def test_kernels_call_nothing_but_themselves(name, on, precision):
    for direction in DIRECTIONS:
        optimised, text = cached_listing(name, direction, SIZES, on, precision)
        declared = re.findall(r"^declare [^@]*@([^(]+)\(", optimised, re.MULTILINE)
        assert all(name.startswith("llvm.") for name in declared)
        own = set(re.findall(r"^([A-Za-z_]\w*):", text, re.MULTILINE))
        assert set(CALLED.findall(text)) - own <= FROM_OUTSIDE


@pytest.mark.parametrize("on", TARGETS)
@pytest.mark.parametrize("name", cells.names("chain"))
def test_kernels_are_emitted_for_every_target(name, on):
    for direction in DIRECTIONS:
        emission = kernel_of(name, direction, (3, 5), on)
        assert 'define void @"kernel"' in emission.text()
        assert emission.frame.keys


@pytest.mark.parametrize("name", ["lstm", "gru_v3", "lstm_layernorm"])
def test_the_same_kernel_is_the_same_text(name):
    first, second = (kernel_of(name, "backward", SIZES) for _ in range(2))
    assert first.text() == second.text()
    assert first.frame.keys == second.frame.keys


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_sizes_of_a_batch_are_in_no_kernel(direction):
    """One kernel serves all lengths and batch sizes: nothing of them goes in."""
    keys = kernel_of("lstm", direction, SIZES)
    keys.text()
    assert {("n_levels",), ("n_places",), ("rows",), ("starts",)} <= set(keys.frame.keys)
