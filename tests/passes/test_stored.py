"""Compiled cells written as text and read again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from cellwise import cells
from cellwise.equation import read_system
from cellwise.passes.pipeline import Compiled, compile_system
from cellwise.passes.stored import dump, load
from tests.laws.generate import chain_texts


def _assert_equal(found: Compiled, wanted: Compiled) -> None:
    for direction in ("forward", "backward"):
        one, other = getattr(found, direction), getattr(wanted, direction)
        assert one == other
        assert one.system.constants == other.system.constants
        assert one.system.given == other.system.given
    assert (found.saved, found.out) == (wanted.saved, wanted.out)
    assert dict(found.names) == dict(wanted.names)
    assert dict(found.previous) == dict(wanted.previous)


@pytest.mark.parametrize("memory", ["fast", "lean"])
@pytest.mark.parametrize("name", cells.names("chain"))
def test_a_cell_of_the_zoo_comes_back(name, memory) -> None:
    system = replace(cells.get(name).system, initial=())
    compiled = compile_system(system, memory=memory)
    _assert_equal(load(dump(compiled)), compiled)


@given(text=chain_texts())
def test_a_random_cell_comes_back(text: str) -> None:
    compiled = compile_system(read_system(text))
    _assert_equal(load(dump(compiled)), compiled)


def test_the_text_is_the_same_each_time() -> None:
    system = replace(cells.get("gru").system, initial=())
    assert dump(compile_system(system)) == dump(compile_system(system))
