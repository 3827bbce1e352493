from __future__ import annotations

import pytest
import torch

from cellwise.heads.outputs import last_outputs, sizes_of
from cellwise.layers import Recurrent


def test_the_last_outputs_of_no_steps_are_zeros():
    outputs = torch.tensor([[[1.0, 2.0], [0.0, 0.0]], [[3.0, 4.0], [0.0, 0.0]]])
    assert last_outputs(outputs, torch.tensor([2, 0])).tolist() == [[3.0, 2.0], [0.0, 0.0]]


@pytest.mark.parametrize("both_ways", [True, False])
def test_where_no_sequence_has_a_step_there_are_zeros(both_ways):
    found = last_outputs(torch.zeros(0, 2, 4), torch.tensor([0, 0]), bidirectional=both_ways)
    assert torch.equal(found, torch.zeros(2, 4))


def test_one_direction_ends_at_the_last_step():
    outputs = torch.tensor([[[1.0, 2.0], [0.0, 0.0]], [[3.0, 4.0], [0.0, 0.0]]])
    found = last_outputs(outputs, torch.tensor([1, 0]), bidirectional=False)
    assert found.tolist() == [[1.0, 2.0], [0.0, 0.0]]


def test_sizes_are_those_of_a_step():
    assert sizes_of(Recurrent("lstm", 2, 3, bidirectional=True), 2) == (6, (3, 3))
