"""What must be true of folding any cell over any batch of sequences, at random."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.structures.batch import even_levels, ragged_levels
from tests.laws import structures
from tests.laws.networks import Network, networks


@given(network=networks(most_layers=2))
def test_a_batch_equals_its_sequences_one_by_one(network: Network) -> None:
    structures.a_batch_equals_its_sequences_one_by_one(network)


@pytest.mark.parametrize("padding", [math.nan, math.inf, -1e300], ids=str)
@given(network=networks(most_layers=2), longer=st.integers(0, 2), both=st.booleans())
def test_padding_never_matters(padding: float, network: Network, longer: int, both: bool) -> None:
    structures.padding_never_matters(padding, network, longer, both)


@given(network=networks(most_layers=2), data=st.data())
def test_permuting_sequences_permutes_outputs(network: Network, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(network.lengths))))
    structures.permuting_sequences_permutes_outputs(network, order)


@given(network=networks(fewest_sequences=2), data=st.data())
def test_a_sequence_of_nans_spoils_no_other(network: Network, data: st.DataObject) -> None:
    spoilt = data.draw(st.integers(0, len(network.lengths) - 1))
    structures.a_sequence_of_nans_spoils_no_other(network, spoilt)


@given(network=networks(most_layers=2), both=st.booleans())
def test_empty_sequences_keep_their_state(network: Network, both: bool) -> None:
    structures.empty_sequences_keep_their_state(network, both and network.num_layers == 1)


@given(network=networks())
def test_no_sequences_at_all(network: Network) -> None:
    structures.no_sequences_at_all(network)


@given(network=networks(most_layers=2), cut=st.integers(0, 4))
def test_chunks_with_carried_state_equal_one_run(network: Network, cut: int) -> None:
    structures.chunks_with_carried_state_equal_one_run(network, cut)


@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=5), even=st.booleans())
def test_reversing_twice_is_the_identity_and_once_is_not(lengths: list[int], even: bool) -> None:
    n_steps, n_sequences = max(lengths), len(lengths)
    if even:
        levels = even_levels(n_steps, n_sequences, torch.device("cpu"))
    else:
        levels = ragged_levels(torch.tensor(lengths), n_steps * n_sequences, n_steps)
    rows = torch.randn(n_steps * n_sequences, 2)
    once = levels.reversed(rows)
    assert torch.equal(levels.reversed(once), rows)
    assert torch.equal(once, rows) == (n_steps <= 1)


@given(network=networks())
def test_two_directions_are_two_runs(network: Network) -> None:
    structures.two_directions_are_two_runs(network)


@given(network=networks(most_layers=2), both=st.booleans())
def test_every_form_of_a_batch_gives_the_same(network: Network, both: bool) -> None:
    structures.every_form_of_a_batch_gives_the_same(network, both)


@given(network=networks(most_layers=2))
def test_a_jagged_batch_gives_the_same(network: Network) -> None:
    structures.a_jagged_batch_gives_the_same(network)
