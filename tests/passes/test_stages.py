"""Stages: every element once, nothing before what it reads, as few stages as can be."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given

from cellwise import cells
from cellwise.passes.normal import Normal, RefusedError, normalise
from cellwise.passes.pipeline import compile_system
from cellwise.passes.program import Program
from cellwise.passes.stages import Access, Elements, Piece, Stage, stages
from tests.laws.case import Case, cases
from tests.passes.programs import both, compiled, sizes_of

LINEAR = ("mingru", "minlstm", "sru")
"""Cells whose state enters a step linearly, element by element."""


def cut(program: Program, *numbers: int) -> tuple[Normal, tuple[Stage, ...], Elements]:
    """The stages of a program whose every signal is kept."""
    sizes = sizes_of(program.system, *numbers)
    normal = normalise(program, sizes)
    return normal, stages(normal, sizes, program.system.defined), Elements(sizes)


def forward(text: str, *numbers: int, keep: tuple[str, ...] = ()) -> tuple[Stage, ...]:
    program = compiled(text).forward
    sizes = sizes_of(program.system, *(numbers or (4,)))
    return stages(normalise(program, sizes), sizes, keep)


def whole(access: Access) -> tuple[str, str, int, int | None]:
    """What must be known for an access: the signal, when, from where; a product reads all of it."""
    node, start, size = access.node, access.start, access.size
    if node.operation == "matmul":
        name, index = node.arguments[1].attributes[:2]
        return str(name), str(index), 0, None
    return str(node.attributes[0]), str(node.attributes[1]), start, size


class Done:
    """Which elements of which signals have been computed."""

    def __init__(self, normal: Normal, elements: Elements):
        self.elements = elements
        self.sizes = {
            name: elements.size(value)
            for lines in normal.sections.values()
            for name, value in lines
        }
        self.known: dict[str, set[int]] = {name: set() for name in self.sizes}

    def add(self, piece: Piece) -> None:
        fresh = set(range(piece.start, piece.start + piece.size))
        assert not fresh & self.known[piece.name], "computed twice"
        self.known[piece.name] |= fresh

    def has(self, name: str, start: int, size: int | None) -> bool:
        """Whether all of this is known; so is what comes from outside."""
        if name not in self.known:
            return True
        size = self.sizes[name] if size is None else size
        return set(range(start, start + size)) <= self.known[name]


def check_order(normal: Normal, found: tuple[Stage, ...], elements: Elements) -> Done:
    """Whatever a piece reads at the same step was done in an earlier stage, or is at hand."""
    done = Done(normal, elements)
    for stage in found:
        here: list[Piece] = []
        for piece in stage.pieces:
            reduced = piece.value.arguments[0] if piece.is_reduction else None
            assert stage.size == (elements.size(reduced) if reduced is not None else piece.size)
            for access in elements.accesses(piece.value, piece.start, piece.size):
                name, index, start, size = whole(access)
                at_hand = [
                    p
                    for p in here
                    if (p.name, p.start, p.size) == (name, start, size) and not p.is_reduction
                ]
                assert index != "t" or at_hand or done.has(name, start, size), (piece, access)
                if access.node.operation == "matmul":
                    assert access in stage.slots
            here.append(piece)
        for piece in stage.pieces:
            done.add(piece)
    return done


def check_sections(found: tuple[Stage, ...]) -> None:
    order = ["before", "loop", "after"]
    places = [order.index(stage.section) for stage in found]
    assert places == sorted(places)


@pytest.mark.parametrize("numbers", [(3, 5), (1, 1), (4, 4)])
@pytest.mark.parametrize("name", cells.names("chain"))
def test_the_stages_of_the_zoo_are_in_order_and_whole(name, numbers):
    for program in both(name):
        normal, found, elements = cut(program, *numbers)
        check_sections(found)
        done = check_order(normal, found, elements)
        for signal in program.system.defined:
            assert done.has(signal, 0, None)


@given(case=cases())
def test_the_stages_of_random_cells_are_in_order_and_whole(case: Case) -> None:
    programs = compile_system(case.folded)
    for program in (programs.forward, programs.backward):
        try:
            normal = normalise(program, case.sizes)
        except RefusedError:
            continue
        found = stages(normal, case.sizes, program.system.defined)
        check_sections(found)
        done = check_order(normal, found, Elements(case.sizes))
        for signal in program.system.defined:
            assert done.has(signal, 0, None)


@pytest.mark.parametrize("name", LINEAR)
def test_linear_recurrences_have_no_product_in_the_loop(name):
    for program in both(name):
        _, found, _ = cut(program, 4, 4)
        loop = [stage for stage in found if stage.section == "loop"]
        assert len(loop) == 1
        assert not loop[0].slots
        assert not any(piece.is_reduction for piece in loop[0].pieces)
        assert any(stage.slots for stage in found)


LOOPS = [
    ("lstm", 1),
    ("elman", 1),
    ("gru", 2),  # W_h @ (r[t] * h[t-1]) waits for r
    ("gru_v3", 1),  # r[t] * (W_h @ h[t-1]) does not
    ("indrnn", 1),
]


@pytest.mark.parametrize(("name", "n_stages"), LOOPS)
def test_a_product_of_a_signal_of_the_same_step_waits(name, n_stages):
    _, found, _ = cut(compiled(name).forward, 4, 4)
    assert sum(stage.section == "loop" for stage in found) == n_stages


def test_a_sum_waits_for_its_vector_and_its_reader_for_the_sum():
    found = forward("v[t] = tanh(W @ h[t-1])\nh[t] = v[t] * sum(v[t]) + x[t]")
    loop = [[p.name for p in stage.pieces] for stage in found if stage.section == "loop"]
    assert len(loop) == 3
    assert loop[-1] == ["h"]


def test_products_of_one_size_share_a_stage():
    found = forward("h[t] = tanh(W @ h[t-1]) * sigmoid(V @ h[t-1])")
    (stage,) = (stage for stage in found if stage.section == "loop")
    assert len(stage.slots) == 2


def test_sizes_do_not_mix_in_a_stage():
    found = forward(
        "a[t] = tanh(A @ x[t])\nb[t] = tanh(B @ x[t])\nh[t] = C @ a[t] + h[t-1]", 2, 3, 5
    )
    for stage in found:
        assert len({piece.size for piece in stage.pieces if not piece.is_reduction}) <= 1


def test_a_concatenation_is_cut_where_its_parts_meet():
    text = "u[t] = tanh(A @ x[t])\nv[t] = tanh(B @ x[t])\nj[t] = [u[t], v[t]]\nh[t] = j[t] + h[t-1]"
    program = compiled(text).forward
    sizes = dict(zip(sizes_of(program.system, 0), (2, 3, 4, 2, 3), strict=False))
    normal = normalise(program, sizes)
    found = stages(normal, sizes, ("h", "j"))
    pieces = Counter(piece.name for stage in found for piece in stage.pieces)
    assert pieces["j"] == 2


def test_what_nothing_reads_is_left_out():
    text = "y[t] = tanh(V @ h[t-1])\nh[t] = tanh(x[t] + h[t-1])"
    assert "y" not in {piece.name for stage in forward(text) for piece in stage.pieces}
    kept = forward(text, keep=("y",))
    assert "y" in {piece.name for stage in kept for piece in stage.pieces}
