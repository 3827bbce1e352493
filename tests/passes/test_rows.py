"""Programs over rows: what leaves and levels compute, and by which names."""

from __future__ import annotations

import pytest

from cellwise import cells
from cellwise.cell import Cell
from cellwise.errors import StructureError
from cellwise.graph.system import System
from cellwise.passes.nodes import CompiledNodes, compile_nodes
from cellwise.passes.normal import RefusedError
from cellwise.passes.rows import RowPrograms, row_programs
from tests.graphs import CELLS
from tests.laws.trees import NAMES, SAMPLES

SOURCES = (*NAMES, *SAMPLES.values(), *CELLS.values())
WITH_LEAVES = [s for s in SOURCES if "[leaf]" in s or (s in NAMES and cells.get(s).system.leaf)]


def made(source: str) -> tuple[CompiledNodes, RowPrograms]:
    """A cell's equations and its programs; skips what has none."""
    cell = cells.get(source) if source in NAMES else Cell(source)
    try:
        compiled = compile_nodes(cell.system)
        return compiled, row_programs(compiled)
    except (RefusedError, StructureError) as error:
        pytest.skip(str(error))


def own(system: System, *, leaf: bool) -> set[str]:
    """What the equations of leaves, or those of nodes, define."""
    return {line.name for line in (system.leaf if leaf else system.equations)}


@pytest.mark.parametrize("source", SOURCES)
def test_only_what_the_equations_define_has_one_name_in_both_programs(source):
    """Both write their rows to the same arrays, by name."""
    compiled, programs = made(source)
    pairs = (
        (compiled.forward, programs.forward, programs.forward_leaf),
        (compiled.backward, programs.backward, programs.backward_leaf),
    )
    if compiled.forward.labels:
        pytest.skip("they are made of equations for trees, which are not these")
    names: dict[str, bool] = {}
    for system, levels, leaves in pairs:
        for program, leaf in ((levels, False), (leaves, True)):
            if program is None:
                continue
            made_up = set(program.system.defined) - own(system, leaf=leaf)
            everything = {*own(system, leaf=False), *own(system, leaf=True)}
            assert not made_up & everything
            assert not made_up & set(names)
            names |= dict.fromkeys(made_up, leaf)


@pytest.mark.parametrize("source", WITH_LEAVES)
def test_leaves_compute_what_levels_read_of_children(source):
    _, programs = made(source)
    assert programs.forward_leaf is not None
    leaves, levels = programs.forward_leaf.system, programs.forward.system
    read = {name for name, index in levels.reads() if index not in ("t", "parent")}
    assert read & set(levels.defined) <= set(leaves.defined)
