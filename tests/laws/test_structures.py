"""What must be true of folding any cell over any batch of sequences."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from cellwise.structures.batch import even_levels, ragged_levels
from tests.laws.networks import Network, gradients, mixture, networks
from tests.tolerances import TOLERANCE

EXACT, GRAD = (TOLERANCE[torch.float64][name] for name in ("exact", "grad"))
BITWISE = {"rtol": 0.0, "atol": 0.0}


def _close(found: Sequence[Tensor], wanted: Sequence[Tensor], tolerance: dict[str, float]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, equal_nan=False, **tolerance)


@given(network=networks(most_layers=2))
def test_a_batch_equals_its_sequences_one_by_one(network: Network) -> None:
    layer = network.layer()
    x, lengths = network.batch()
    weights = list(layer.parameters())
    y, state = layer(x, lengths=lengths)
    mix, *mixes = mixture([y, *state])
    sums = [torch.zeros_like(weight) for weight in weights]
    for place, length in enumerate(network.lengths):
        alone, last = layer(x[:length, place])
        _close([alone, *last], [y[:length, place], *(s[:, place] for s in state)], EXACT)
        cotangents = [mix[:length, place], *(m[:, place] for m in mixes)]
        found = gradients([alone, *last], cotangents, weights)
        sums = [total + grad for total, grad in zip(sums, found, strict=True)]
    _close(gradients([y, *state], [mix, *mixes], weights), sums, GRAD)


@pytest.mark.parametrize("padding", [math.nan, math.inf, -1e300], ids=str)
@given(network=networks(most_layers=2), longer=st.integers(0, 2), both=st.booleans())
def test_padding_never_matters(padding: float, network: Network, longer: int, both: bool) -> None:
    layer = network.layer(bidirectional=both and network.num_layers == 1)
    results = []
    for filling, more in ((0.0, 0), (padding, longer)):
        x, lengths = network.batch(padding=filling, longer=more)
        x.requires_grad_()
        y, state = layer(x, lengths=lengths)
        n_steps = max(network.lengths)
        assert not y[n_steps:].any()
        mixes = mixture([y[:n_steps], *state])
        d_x, *d_weights = gradients([y[:n_steps], *state], mixes, [x, *layer.parameters()])
        for place, length in enumerate(network.lengths):
            assert not y[length:, place].any()
            assert not d_x[length:, place].any()
        results.append([y[:n_steps], *state, d_x[:n_steps], *d_weights])
    _close(results[1], results[0], BITWISE)


@given(network=networks(most_layers=2), data=st.data())
def test_permuting_sequences_permutes_outputs(network: Network, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(network.lengths))))
    layer = network.layer()
    x, lengths = network.batch()
    first = network.state(layer)
    y, state = layer(x, first, lengths)
    moved, last = layer(x[:, order], [s[:, order] for s in first], lengths[order])
    _close([moved, *last], [y[:, order], *(s[:, order] for s in state)], EXACT)


@given(network=networks(fewest_sequences=2), data=st.data())
def test_a_sequence_of_nans_spoils_no_other(network: Network, data: st.DataObject) -> None:
    spoilt = data.draw(st.integers(0, len(network.lengths) - 1))
    layer = network.layer()
    x, lengths = network.batch()
    y, state = layer(x, lengths=lengths)
    x[:, spoilt] = math.nan
    found, last = layer(x, lengths=lengths)
    rest = [place for place in range(len(lengths)) if place != spoilt]
    _close(
        [found[:, rest], *(s[:, rest] for s in last)],
        [y[:, rest], *(s[:, rest] for s in state)],
        BITWISE,
    )


@given(network=networks(most_layers=2), both=st.booleans())
def test_empty_sequences_keep_their_state(network: Network, both: bool) -> None:
    layer = network.layer(bidirectional=both)
    x, lengths = network.batch()
    first = [s.requires_grad_() for s in network.state(layer)]
    for steps in (x[:0], x):
        y, last = layer(steps, first, torch.zeros_like(lengths))
        assert y.shape[0] == steps.shape[0]
        assert not y.any()
        _close(last, first, BITWISE)
        mixes = mixture([y, *last])
        _close(gradients([y, *last], mixes, first), mixes[1:], BITWISE)
        for grad in gradients([y, *last], mixes, list(layer.parameters())):
            assert not grad.any()


@given(network=networks())
def test_no_sequences_at_all(network: Network) -> None:
    layer = network.layer()
    y, last = layer(torch.zeros(3, 0, layer.input_size, dtype=torch.float64))
    assert y.shape == (3, 0, layer.hidden_size)
    assert all(s.shape[:2] == (1, 0) for s in last)


@given(network=networks(most_layers=2), cut=st.integers(0, 4))
def test_chunks_with_carried_state_equal_one_run(network: Network, cut: int) -> None:
    layer = network.layer()
    x, lengths = network.batch()
    cut = min(cut, len(x))
    first = network.state(layer)
    y, state = layer(x, first, lengths)
    y_a, between = layer(x[:cut], first, lengths.clamp(max=cut))
    y_b, last = layer(x[cut:], between, (lengths - cut).clamp(min=0))
    joined = torch.cat([y_a, y_b])
    _close([joined, *last], [y, *state], EXACT)
    weights = list(layer.parameters())
    mixes = mixture([y, *state])
    _close(gradients([joined, *last], mixes, weights), gradients([y, *state], mixes, weights), GRAD)


@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=5), even=st.booleans())
def test_reversing_twice_is_the_identity_and_once_is_not(lengths: list[int], even: bool) -> None:
    n_steps, n_sequences = max(lengths), len(lengths)
    if even:
        levels = even_levels(n_steps, n_sequences, torch.device("cpu"))
    else:
        levels = ragged_levels(torch.tensor(lengths), n_steps * n_sequences, n_steps)
    rows = torch.randn(n_steps * n_sequences, 2)
    once = levels.reversed(rows)
    _close([levels.reversed(once)], [rows], BITWISE)
    assert torch.equal(once, rows) == (n_steps <= 1)


@given(network=networks())
def test_two_directions_are_two_runs(network: Network) -> None:
    both, forward = network.layer(bidirectional=True), network.layer()
    backward = network.layer()
    names = dict(both.named_parameters())
    for name, weight in forward.named_parameters():
        weight.data = names[name].data
    for name, weight in backward.named_parameters():
        weight.data = names[name.replace("layer0.", "layer0.reverse.")].data
    x, lengths = network.batch()
    y, state = both(x, lengths=lengths)
    ahead, ends = forward(x, lengths=lengths)
    back, starts = backward(_each_reversed(x, lengths), lengths=lengths)
    _close([y], [torch.cat([ahead, _each_reversed(back, lengths)], -1)], EXACT)
    _close(state, [torch.cat(pair) for pair in zip(ends, starts, strict=True)], EXACT)


def _each_reversed(x: Tensor, lengths: Tensor) -> Tensor:
    turned = torch.zeros_like(x)
    for place, length in enumerate(lengths.tolist()):
        turned[:length, place] = x[:length, place].flip(0)
    return turned


@given(network=networks(most_layers=2), both=st.booleans())
def test_every_form_of_a_batch_gives_the_same(network: Network, both: bool) -> None:
    layer = network.layer(bidirectional=both and network.num_layers == 1)
    x, lengths = network.batch()
    y, state = layer(x, lengths=lengths)
    layer.batch_first = True
    turned, last = layer(x.transpose(0, 1), lengths=lengths)
    layer.batch_first = False
    _close([turned.transpose(0, 1), *last], [y, *state], BITWISE)
    whole = [place for place, length in enumerate(network.lengths) if length]
    if whole:
        x, lengths, y = x[:, whole], lengths[whole], y[:, whole]
        packed, last = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
        _close([pad_packed_sequence(packed)[0], *last], [y, *(s[:, whole] for s in state)], EXACT)


@given(network=networks(most_layers=2))
def test_a_jagged_batch_gives_the_same(network: Network) -> None:
    layer = network.layer()
    x, lengths = network.batch()
    y, state = layer(x, lengths=lengths)
    pieces = [x[:length, place] for place, length in enumerate(network.lengths)]
    found, last = layer(torch.nested.nested_tensor(pieces, layout=torch.jagged))
    for place, (alone, length) in enumerate(zip(found.unbind(), network.lengths, strict=True)):
        _close([alone], [y[:length, place]], EXACT)
    _close(last, state, EXACT)
