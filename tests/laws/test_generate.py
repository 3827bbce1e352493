"""The generator itself: what it writes is right, and leaves no operation out."""

from __future__ import annotations

import re

from hypothesis import given

from cellwise.equation import read_system
from cellwise.equation.functions import TEXT_NAME
from cellwise.graph.operations import OPERATIONS
from cellwise.graph.verify import verify
from tests.laws import generate
from tests.laws.generate import chain_texts, tree_texts

FORMS = (*generate.VECTOR, *generate.SCALAR, *generate.BOUNDED, *generate.POSITIVE)


@given(text=chain_texts())
def test_a_chain_is_a_cell(text: str) -> None:
    system = read_system(text)
    verify(system)
    assert system.structure == "chain"
    assert "x" in system.inputs


@given(text=tree_texts())
def test_a_tree_is_a_cell(text: str) -> None:
    assert read_system(text).structure == "tree"


def test_every_function_is_in_a_template() -> None:
    called = set(re.findall(r"(\w+)\(", " ".join(FORMS)))
    elsewhere = ("leaf", "over", "internal")  # over: of trees and of derived equations
    kinds = {name: row.kind for name, row in OPERATIONS.items()}
    wanted = {TEXT_NAME.get(name, name) for name, kind in kinds.items() if kind not in elsewhere}
    written = {
        "add",
        "sub",
        "mul",
        "div",
        "pow",
        "neg",
        "matmul",
        "transpose",
        "concat",
    }  # by signs
    assert wanted - written - called == set()
