"""The whole pipeline: values and gradients are those of the equations as written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.autodiff.reverse import backward
from cellwise.equation import read_system
from cellwise.errors import BackendError
from cellwise.graph.build import read
from cellwise.graph.node import Node, walk
from cellwise.graph.system import System
from cellwise.passes import pipeline
from cellwise.passes.pipeline import compile_system
from cellwise.passes.program import Program
from tests.evaluate import evaluate
from tests.gradients import sweep_back
from tests.laws.generate import chain_texts
from tests.passes.compiled import run
from tests.samples import SAMPLES, cotangents, feed_of
from tests.tolerances import TOLERANCE

EXACT, GRAD = (TOLERANCE[torch.float64][kind] for kind in ("exact", "grad"))


def same_as_written(system: System, steps: int, seed: int) -> None:
    feed = feed_of(system, seed, steps)
    weights, edges = cotangents(system, feed, seed)
    compiled = compile_system(system, verify=True)
    forward, found = run(system, compiled, feed, weights, edges)
    written = evaluate(system, feed)
    for name in system.defined:
        np.testing.assert_allclose(forward.signals[name], written.signals[name], **EXACT)
    for name in system.states:
        np.testing.assert_allclose(forward.edges[name], written.edges[name], **EXACT)
    expected = sweep_back(system, backward(system), feed, weights, edges)
    assert found.keys() == expected.keys()
    for key, gradient in expected.items():
        np.testing.assert_allclose(found[key], gradient, **GRAD, err_msg=key)


@pytest.mark.parametrize("steps", [0, 1, 3])
@pytest.mark.parametrize("name", SAMPLES)
def test_keeps_values_and_gradients(name, steps):
    same_as_written(read_system(SAMPLES[name]), steps, 7)


@given(chain_texts(), st.integers(0, 1000))
def test_keeps_values_and_gradients_of_random_cells(text, seed):
    same_as_written(read_system(text), 3, seed)


@pytest.mark.parametrize("name", SAMPLES)
def test_programs_are_the_same_every_time(name):
    first, second = (compile_system(read_system(SAMPLES[name])) for _ in range(2))
    assert first == second


def products(program: Program, section: str) -> list[Node]:
    values = [line.value for line in getattr(program, section)]
    return [n for n in walk(values) if n.operation in ("matmul", "bilinear") and n.varies]


COUNTS = {
    # by sample: products of the forward before, in and after the loop; of the backward
    "elman": (1, 1, 0, 0, 1, 1),
    "gru": (1, 2, 0, 0, 2, 1),
    "lstm": (0, 1, 0, 0, 1, 0),
    "output is no state": (1, 1, 1, 1, 1, 1),
    "no state": (1, 0, 0, 1, 0, 0),
    "two inputs": (2, 1, 0, 0, 1, 1),
}


@pytest.mark.parametrize("name", COUNTS)
def test_products_are_few_and_out_of_the_loop_where_they_can(name):
    compiled = compile_system(read_system(SAMPLES[name]), verify=True)
    found = tuple(
        len(products(program, section))
        for program in (compiled.forward, compiled.backward)
        for section in ("before", "loop", "after")
    )
    assert found == COUNTS[name]


def test_the_loop_stands_in_few_lines():
    compiled = compile_system(read_system(SAMPLES["gru"]), verify=True)
    names = [
        [line.name for line in part] for part in (compiled.forward.before, compiled.forward.loop)
    ]
    assert names == [["x_1"], ["h_1", "z", "r", "r_2", "g", "h"]]
    assert [line.name for line in compiled.backward.after] == ["d_x"]
    assert compiled.saved == ("z", "g", "h", "r")


def test_what_the_backward_would_multiply_again_is_saved():
    compiled = compile_system(read_system(SAMPLES["unnamed products"]), verify=True)
    products_of_forward = sum(
        len(products(compiled.forward, s)) for s in ("before", "loop", "after")
    )
    turned = sum(len(products(compiled.backward, s)) for s in ("before", "loop", "after"))
    assert len(compiled.saved) > 1
    assert turned <= products_of_forward + 1


SHARED_BIAS = """
z[t] = sigmoid(U_z @ x[t] + W_z @ h[t-1] + b)
r[t] = sigmoid(U_r @ x[t] + W_r @ h[t-1] + a)
h[t] = z[t] * h[t-1] + r[t] * tanh(U @ x[t] + W @ h[t-1] - b)
"""


def test_gradients_of_biases_are_parts_of_one_sum():
    totals = {
        line.name: line.value for line in compile_system(read_system(SHARED_BIAS)).backward.totals
    }
    summed = {n for n in walk(totals.values()) if n.operation == "total" and len(n.shape) == 1}
    assert len(summed) == 1
    assert totals["d_a"].operation == "part"
    assert totals["d_b"].operation == "sub"
    assert {n.operation for n in totals["d_b"].arguments} == {"part"}


def test_few_vectors_of_many_are_summed_on_their_own():
    only = SHARED_BIAS.replace(" + b)", ")").replace(" - b", "")
    totals = {line.name: line.value for line in compile_system(read_system(only)).backward.totals}
    assert totals["d_a"].operation == "total"


def test_a_cell_that_simplifies_keeps_its_inputs_and_parameters():
    compiled = compile_system(read_system("h[t] = 0.5 * h[t-1] + 0 * (U @ x[t])"), verify=True)
    assert set(compiled.names) == {"h", "x", "U"}
    assert [line.name for line in compiled.backward.totals] == ["d_U"]


def test_a_broken_pass_is_named(monkeypatch):
    def lose(system: System) -> System:
        return replace(system, equations=system.equations[1:])

    monkeypatch.setattr(pipeline, "FORWARD", (lose,))
    with pytest.raises(BackendError) as caught:
        compile_system(read_system("g[t] = x[t]\nh[t] = g[t-1] + h[t-1]"), verify=True)
    assert str(caught.value) == (
        "the pass 'lose' broke the system: 'g' is read at [t-1] but neither defined nor given"
    )


def test_reads_are_of_signals_that_exist():
    compiled = compile_system(read_system(SAMPLES["gru"]))
    assert read("z", "t", compiled.forward.system.shape_of("z")) in walk(
        compiled.forward.system.roots()
    )
