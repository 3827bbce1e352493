"""What holds for every cell of the zoo as a text: form, source, start, derivative."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module

import pytest

from cellwise import cells
from cellwise.cell import Cell
from cellwise.errors import ConfigError
from cellwise.graph.system import Structure

REQUIRED = (
    "elman jordan lstm lstm_peephole lstm_coupled lstm_projected lstm_layernorm gru gru_v3 mgu rhn "
    "indrnn ugrnn sru mingru minlstm slstm ctrnn antisymmetric lem mut1 recursive rntn tree_lstm "
    "tree_lstm_binary tree_gru dependency mdlstm"
).split()


def test_the_required_cells_are_there():
    assert set(REQUIRED) <= set(cells.names())
    assert len(set(cells.names())) == len(cells.names())


@pytest.mark.parametrize("structure", ["chain", "tree"])
def test_the_names_by_structure(structure: Structure):
    names = cells.names(structure)
    assert names == tuple(n for n in cells.names() if cells.get(n).system.structure == structure)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigError) as error:
        cells.get("lsmt")
    assert str(error.value) == "there is no cell named 'lsmt'. Did you mean 'lstm'?"


def test_a_strange_name_gets_the_list():
    with pytest.raises(ConfigError, match=r"no cell named 'zzzzzz'\. Known cells: elman, jordan, "):
        cells.get("zzzzzz")


def test_cells_load_when_asked_for():
    code = (
        "import sys; from cellwise import cells; cells.names();"
        "assert 'cellwise.cells.lstm' not in sys.modules;"
        "cells.get('lstm'); assert 'cellwise.cells.lstm' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", cells.names())
def test_round_trip(name: str):
    cell = cells.get(name)
    assert cell.name == name
    assert Cell(str(cell)) == cell
    assert Cell(cell.unicode()) == cell
    assert cell.latex()


@pytest.mark.parametrize("name", cells.names())
def test_every_line_has_a_description(name: str):
    assert all(line.comment for line in cells.get(name).system.lines())


@pytest.mark.parametrize("name", cells.names())
def test_title_source_and_description(name: str):
    entry = cells.entry(name)
    module = import_module(f"cellwise.cells.{name}")
    assert entry.cell is cells.get(name) is module.CELL
    assert re.search(r"\b(19|20)\d\d\b", entry.source), "the source names a year"
    assert entry.title
    assert entry.description.count("\n") >= 2


@pytest.mark.parametrize("name", cells.names())
def test_init_names_are_parameters(name: str):
    cell = cells.get(name)
    assert set(cell.init) <= set(cell.parameters)


@pytest.mark.parametrize("name", cells.names())
def test_one_input_and_the_output_first(name: str):
    cell = cells.get(name)
    assert tuple(cell.inputs) == ("x",)
    assert cell.states
    if cell.output in cell.states:
        assert cell.states[0] == cell.output


@pytest.mark.parametrize("name", cells.names())
def test_the_derived_backward_is_a_cell(name: str):
    cell = cells.get(name)
    backward = cell.backward()
    assert Cell(str(backward)) == backward
    totals = {line.name for line in backward.system.totals}
    assert len(totals) == len(cell.parameters)


def test_a_cell_over_trees_is_what_the_paper_says_of_its_leaves():
    leaves = {n: len(cells.get(n).system.leaf) for n in cells.names("tree")}
    assert {n for n, count in leaves.items() if count} == {"recursive", "rntn", "tree_lstm_binary"}


def test_lstm_states():
    assert tuple(cells.get("lstm").states) == ("h", "c")
    assert tuple(cells.get("sru").states) == ("c",)
