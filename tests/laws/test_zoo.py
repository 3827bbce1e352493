"""Every law, for every cell of the zoo."""

from __future__ import annotations

import math

import pytest
import torch

from cellwise import cells
from tests.laws import derivatives, folds, structures
from tests.laws.case import Case
from tests.laws.margins import is_tame
from tests.laws.networks import Network

NAMES = cells.names("chain")


def _case(name: str) -> Case:
    """A cell on two sequences, away from its kinks."""
    for seed in range(50):
        case = Case(cells.get(name).system, (3, 2), (3, 2), seed)
        if is_tame(case.system, case.feed()):
            return case
    raise AssertionError("no data away from the kinks")


def _network(name: str, num_layers: int = 1) -> Network:
    return Network(str(cells.get(name)), (3, 3), (3, 0, 4), 5, num_layers)


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_keeps_all_laws_of_derivatives(name: str) -> None:
    case = _case(name)
    derivatives.backward_agrees_with_differences(case)
    derivatives.forward_mode_agrees_with_differences(case)
    derivatives.forward_and_backward_are_adjoint(case)
    derivatives.second_order_agrees_with_differences(case)


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_keeps_all_laws_of_folds(name: str) -> None:
    case = _case(name)
    folds.fold_equals_the_equations_as_written(case)
    folds.derived_backward_equals_autograd(case)
    folds.forward_mode_is_the_adjoint_of_the_derived_backward(case)
    folds.vmap_equals_a_loop(case)
    folds.double_backward_equals_that_of_the_reference(case)


@pytest.mark.parametrize("name", NAMES)
def test_a_cell_keeps_all_laws_of_structures(name: str) -> None:
    network = _network(name)
    structures.a_batch_equals_its_sequences_one_by_one(network)
    for padding in (math.nan, math.inf, 1e300):
        structures.padding_never_matters(padding, network, 1, True)
    structures.permuting_sequences_permutes_outputs(network, [2, 0, 1])
    structures.a_sequence_of_nans_spoils_no_other(network, 0)
    structures.empty_sequences_keep_their_state(network, True)
    structures.no_sequences_at_all(network)
    structures.chunks_with_carried_state_equal_one_run(network, 2)
    structures.two_directions_are_two_runs(network)
    structures.every_form_of_a_batch_gives_the_same(network, True)
    structures.a_jagged_batch_gives_the_same(network)


@pytest.mark.parametrize("name", NAMES)
def test_two_layers_of_a_cell_treat_a_batch_as_its_sequences(name: str) -> None:
    network = _network(name, num_layers=2)
    structures.a_batch_equals_its_sequences_one_by_one(network)
    structures.chunks_with_carried_state_equal_one_run(network, 3)


@pytest.mark.parametrize("magnitude", [1.0, 50.0, 100.0, 1e4])
@pytest.mark.parametrize("name", NAMES)
def test_a_cell_is_finite_on_large_inputs(name: str, magnitude: float) -> None:
    """Values and gradients in float32, over more steps than it takes for a state to saturate."""
    layer = _network(name).layer().float()
    x = (torch.randn(12, 2, layer.input_size) * magnitude).requires_grad_()
    y, state = layer(x)
    total = y.sum() + sum(s.sum() for s in state)
    grads = torch.autograd.grad(total, [x, *layer.parameters()], allow_unused=True)
    assert torch.isfinite(y).all()
    assert all(grad is None or torch.isfinite(grad).all() for grad in grads)
