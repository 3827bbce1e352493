"""What must be true of folding any cell over any batch of sequences.

Each function states one law of a network and fails where it does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.laws.networks import Network, gradients, mixture
from tests.tolerances import TOLERANCE, Bounds

EXACT, GRAD = (TOLERANCE[torch.float64][name] for name in ("exact", "grad"))
BITWISE: Bounds = {"rtol": 0.0, "atol": 0.0}


def close(found: Sequence[Tensor], wanted: Sequence[Tensor], tolerance: Bounds) -> None:
    """Assert that tensors are equal up to a tolerance, and no number is NaN."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, equal_nan=False, **tolerance)


def a_batch_equals_its_sequences_one_by_one(network: Network) -> None:
    """Outputs, last states and gradients."""
    layer = network.layer()
    x, lengths = network.batch()
    weights = list(layer.parameters())
    y, state = layer(x, lengths=lengths)
    mix, *mixes = mixture([y, *state])
    sums = [torch.zeros_like(weight) for weight in weights]
    for place, length in enumerate(network.lengths):
        alone, last = layer(x[:length, place])
        close([alone, *last], [y[:length, place], *(s[:, place] for s in state)], EXACT)
        cotangents = [mix[:length, place], *(m[:, place] for m in mixes)]
        found = gradients([alone, *last], cotangents, weights)
        sums = [total + grad for total, grad in zip(sums, found, strict=True)]
    close(gradients([y, *state], [mix, *mixes], weights), sums, GRAD)


def padding_never_matters(padding: float, network: Network, longer: int, both: bool) -> None:
    """Neither its contents nor its length, for values and gradients, bit by bit."""
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
    close(results[1], results[0], BITWISE)


def permuting_sequences_permutes_outputs(network: Network, order: Sequence[int]) -> None:
    """Outputs and last states follow their sequences."""
    layer = network.layer()
    x, lengths = network.batch()
    first = network.state(layer)
    y, state = layer(x, first, lengths)
    moved, last = layer(x[:, order], [s[:, order] for s in first], lengths[order])
    close([moved, *last], [y[:, order], *(s[:, order] for s in state)], EXACT)


def a_sequence_of_nans_spoils_no_other(network: Network, spoilt: int) -> None:
    """Sequences of a batch do not see each other."""
    layer = network.layer()
    x, lengths = network.batch()
    y, state = layer(x, lengths=lengths)
    x[:, spoilt] = math.nan
    found, last = layer(x, lengths=lengths)
    rest = [place for place in range(len(lengths)) if place != spoilt]
    close(
        [found[:, rest], *(s[:, rest] for s in last)],
        [y[:, rest], *(s[:, rest] for s in state)],
        BITWISE,
    )


def empty_sequences_keep_their_state(network: Network, both: bool) -> None:
    """Without steps, the state and its gradient go through, and all else is zero."""
    layer = network.layer(bidirectional=both)
    x, lengths = network.batch()
    first = [s.requires_grad_() for s in network.state(layer)]
    for steps in (x[:0], x):
        y, last = layer(steps, first, torch.zeros_like(lengths))
        assert y.shape[0] == steps.shape[0]
        assert not y.any()
        close(last, first, BITWISE)
        mixes = mixture([y, *last])
        grads = gradients([y, *last], mixes, [*first, *layer.parameters()])
        close(grads[: len(first)], mixes[1:], BITWISE)
        assert not any(grad.any() for grad in grads[len(first) :])


def no_sequences_at_all(network: Network) -> None:
    """A batch of no sequences is a batch."""
    layer = network.layer()
    y, last = layer(torch.zeros(3, 0, layer.input_size, dtype=torch.float64))
    assert y.shape == (3, 0, layer.hidden_size)
    assert all(s.shape[:2] == (1, 0) for s in last)


def chunks_with_carried_state_equal_one_run(network: Network, cut: int) -> None:
    """Values and gradients, wherever the sequences are cut."""
    layer = network.layer()
    x, lengths = network.batch()
    cut = min(cut, len(x))
    first = network.state(layer)
    y, state = layer(x, first, lengths)
    y_a, between = layer(x[:cut], first, lengths.clamp(max=cut))
    y_b, last = layer(x[cut:], between, (lengths - cut).clamp(min=0))
    joined = torch.cat([y_a, y_b])
    close([joined, *last], [y, *state], EXACT)
    weights = list(layer.parameters())
    mixes = mixture([y, *state])
    close(gradients([joined, *last], mixes, weights), gradients([y, *state], mixes, weights), GRAD)


def two_directions_are_two_runs(network: Network) -> None:
    """The second over each sequence from its end."""
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
    close([y], [torch.cat([ahead, _each_reversed(back, lengths)], -1)], EXACT)
    close(state, [torch.cat(pair) for pair in zip(ends, starts, strict=True)], EXACT)


def _each_reversed(x: Tensor, lengths: Tensor) -> Tensor:
    turned = torch.zeros_like(x)
    for place, length in enumerate(lengths.tolist()):
        turned[:length, place] = x[:length, place].flip(0)
    return turned


def every_form_of_a_batch_gives_the_same(network: Network, both: bool) -> None:
    """Batch first, and packed."""
    layer = network.layer(bidirectional=both and network.num_layers == 1)
    x, lengths = network.batch()
    y, state = layer(x, lengths=lengths)
    layer.batch_first = True
    turned, last = layer(x.transpose(0, 1), lengths=lengths)
    layer.batch_first = False
    close([turned.transpose(0, 1), *last], [y, *state], BITWISE)
    whole = [place for place, length in enumerate(network.lengths) if length]
    if whole:
        x, lengths, y = x[:, whole], lengths[whole], y[:, whole]
        packed, last = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
        close([pad_packed_sequence(packed)[0], *last], [y, *(s[:, whole] for s in state)], EXACT)


def a_jagged_batch_gives_the_same(network: Network) -> None:
    """A nested tensor of the same sequences."""
    layer = network.layer()
    x, lengths = network.batch()
    y, state = layer(x, lengths=lengths)
    pieces = [x[:length, place] for place, length in enumerate(network.lengths)]
    found, last = layer(torch.nested.nested_tensor(pieces, layout=torch.jagged))
    for place, (alone, length) in enumerate(zip(found.unbind(), network.lengths, strict=True)):
        close([alone], [y[:length, place]], EXACT)
    close(last, state, EXACT)
