"""The normal form computes the same, and holds nothing that a kernel cannot do in place."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

import numpy as np
import pytest
import torch
from hypothesis import given

from cellwise import cells
from cellwise.errors import BackendError
from cellwise.graph.build import read
from cellwise.graph.node import Node, walk
from cellwise.graph.operations import OPERATIONS
from cellwise.graph.system import Equation
from cellwise.passes.normal import REDUCTIONS, Normal, RefusedError, normalise
from cellwise.passes.pipeline import compile_system
from cellwise.passes.program import Program
from tests.evaluate import Feed, evaluate_program
from tests.laws.case import Case, cases
from tests.passes.programs import both, compiled, sizes_of
from tests.tolerances import TOLERANCE

EXACT = TOLERANCE[torch.float64]["exact"]

IN_PLACE = {"read", "matmul", "part", "concat", "broadcast"}


def roots(normal: Normal) -> list[tuple[str, Node]]:
    return [line for lines in normal.sections.values() for line in lines]


def is_in_place(node: Node) -> bool:
    kind = OPERATIONS[node.operation].kind
    return node.operation in IN_PLACE or kind == "elementwise" or not node.varies


def holds_nothing_else(normal: Normal) -> None:
    """Reductions stand alone, and a product multiplies a fixed matrix with a signal by name."""
    for _, value in roots(normal):
        alone = value.operation in (*REDUCTIONS, "kron") and value.varies
        inner = value.arguments if alone else [value]
        for node in walk(inner):
            assert is_in_place(node), node.operation
            if node.varies:
                assert len(node.shape) <= 1
            if node.varies and node.operation == "matmul":
                matrix, operand = node.arguments
                assert not matrix.varies
                assert operand.operation == "read"
    for total in normal.totals:
        assert len(total.operands) == (1 if total.kind == "rows" else 2)
        assert all(node.operation == "read" for node in total.operands)


def as_program(program: Program, normal: Normal) -> Program:
    """The normal form's lines in the place of the program's own."""
    parts = {
        section: tuple(Equation(name, "t", value) for name, value in lines)
        for section, lines in normal.sections.items()
    }
    lines = tuple(line for part in parts.values() for line in part)
    system = replace(program.system, equations=lines, totals=())
    return replace(program, system=system, totals=(), **parts)


@pytest.mark.parametrize("name", cells.names("chain"))
def test_the_normal_forms_of_the_zoo_hold_nothing_but_what_a_kernel_does(name):
    for program in both(name):
        normal = normalise(program, sizes_of(program.system, 3, 5))
        holds_nothing_else(normal)
        assert set(program.system.states) == set(normal.states)
        assert normal.reverse == program.system.reverse


def agrees(case: Case) -> None:
    """All signals of the forward program, whichever of them have another section now."""
    program = compile_system(case.folded).forward
    try:
        normal = normalise(program, case.sizes)
    except RefusedError:
        return
    holds_nothing_else(normal)
    feed = case.feed()
    starts = {name: case.start(name, 0) for name in case.system.states}
    feed = Feed(feed.steps, feed.signals, starts, feed.parameters, sizes=case.sizes)
    wanted = evaluate_program(program, feed)
    found = evaluate_program(as_program(program, normal), feed)
    for name in program.system.defined:
        np.testing.assert_allclose(found.signals[name], wanted.signals[name], **EXACT)


@given(case=cases())
def test_the_normal_form_of_a_random_cell_computes_the_same(case):
    agrees(case)


@pytest.mark.parametrize("name", cells.names("chain"))
def test_the_normal_form_of_a_cell_of_the_zoo_computes_the_same(name):
    agrees(Case(cells.get(name).system, (3, 2), (4,), 0))


def forward(text: str, size: int = 4) -> Normal:
    program = compiled(text).forward
    return normalise(program, sizes_of(program.system, size))


def names(normal: Normal) -> dict[str, list[str]]:
    return {section: [name for name, _ in lines] for section, lines in normal.sections.items()}


def test_a_product_of_third_order_is_one_with_all_pairs_of_elements():
    normal = forward("h[t] = tanh(bilinear(V, x[t], h[t-1]) + b)")
    values = [value for _, value in roots(normal)]
    (pairs,) = (value for value in values if value.operation == "kron")
    assert [str(node.attributes[0]) for node in pairs.arguments] == ["x", "h"]
    assert [value.operation for value in values].count("tanh") == 1


def test_the_operand_of_a_product_gets_a_line():
    normal = forward("h[t] = tanh(W @ (h[t-1] * h[t-1]))")
    lines = dict(roots(normal))
    (product,) = (n for n in walk(lines.values()) if n.operation == "matmul")
    name, index = product.arguments[1].attributes[:2]
    assert index == "t"
    assert lines[str(name)].operation == "mul"


def test_a_sum_gets_a_line_and_is_taken_once():
    normal = forward("h[t] = h[t-1] * sum(x[t]) + exp(sum(x[t]))")
    sums = [name for name, value in roots(normal) if value.operation == "sum"]
    assert len(sums) == 1


def test_a_line_that_is_a_sum_already_gets_no_other():
    normal = forward("s[t] = sum(h[t-1])\nh[t] = h[t-1] + s[t] * x[t]")
    assert names(normal)["loop"] == ["s", "h"]


@pytest.mark.parametrize(
    ("operation", "n_sums", "n_largest"),
    [("softmax", 1, 1), ("norm", 2, 0), ("is_largest", 1, 1)],
)
def test_operations_on_whole_vectors_become_sums_and_elements(operation, n_sums, n_largest):
    normal = forward(f"h[t] = {operation}(h[t-1] + x[t])")
    found = [value.operation for _, value in roots(normal)]
    assert found.count("sum") == n_sums
    assert found.count("largest") == n_largest


def test_gradients_are_sums_of_outer_products_of_products_and_of_rows():
    program = compiled("h[t] = tanh(U @ x[t] + a * h[t-1] + b)").backward
    normal = normalise(program, sizes_of(program.system, 3))
    assert sorted(total.kind for total in normal.totals) == ["outer", "product", "rows"]


@pytest.mark.parametrize("name", cells.names("chain"))
def test_stretches_of_joined_signals_lie_where_it_is_said(name):
    """What is joined there, from that number on, are the very signals that the stretch is of."""
    for program in both(name):
        sizes = sizes_of(program.system, 3, 5)
        normal = normalise(program, sizes)
        values = {line: value for lines in normal.sections.values() for line, value in lines}
        for part, (whole, start) in normal.within.items():
            assert whole in normal.summed
            assert whole not in normal.within
            assert part not in normal.summed
            value, alone = values[part], (read(part, "t", values[part].shape),)
            own = value.arguments if value.operation == "concat" else alone
            pieces = values[whole].arguments
            begins = accumulate((p.shape[0].evaluate(sizes) for p in pieces), initial=0)
            first = list(begins).index(start)
            assert pieces[first : first + len(own)] == own


@pytest.mark.parametrize(("name", "stretches"), [("gru", 2), ("lstm_peephole", 3), ("lstm", 0)])
def test_sums_read_signals_where_they_are_joined(name, stretches):
    program = both(name)[1]
    normal = normalise(program, sizes_of(program.system, 3, 5))
    assert len(normal.within) == stretches
    assert {whole for whole, _ in normal.within.values()} <= {"joined_1"} <= normal.summed


def test_what_defines_a_state_that_is_carried_is_in_the_loop():
    """A state that the program computes for all steps at once, and reads a step before."""
    normal = forward("e[t] = U @ x[t]\nh[t] = tanh(e[t-1]) + x[t]")
    where = names(normal)
    assert "e" in where["loop"]
    assert "h" in where["loop"]


REFUSED = [
    (
        "h[t] = bilinear(outer(x[t], h[t-1], x[t]), x[t], x[t])",
        "it computes a matrix at every step ('outer')",
    ),
    ("h[t] = outer(x[t], h[t-1]) @ x[t]", "it computes a matrix at every step ('outer')"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_has_no_normal_form_says_why(text, reason):
    with pytest.raises(RefusedError) as error:
        forward(text, 3)
    assert str(error.value) == reason
    assert isinstance(error.value, BackendError)
