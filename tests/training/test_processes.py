from __future__ import annotations

import pytest
import torch

from cellwise.errors import ConfigError
from cellwise.training.processes import Processes

PLAN = [[8, 1, 5], [2, 0, 7, 4], [3, 6]]


def one_of(rank, count):
    processes = Processes("cpu")
    processes.rank, processes.count = rank, count
    return processes


def test_batches_are_dealt_out_and_the_first_ones_fill_up():
    assert one_of(0, 2).share(PLAN) == [[8, 1, 5], [3, 6]]
    assert one_of(1, 2).share(PLAN) == [[2, 0, 7, 4], [8, 1, 5]]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_rows_are_shared_in_order_and_each_goes_to_one_process(count):
    plan = [list(range(10)), list(range(20, 30)), list(range(30, 34))]
    shares = [one_of(rank, count).share(plan, rows=True) for rank in range(count)]
    for i, batch in enumerate(plan):
        assert [row for share in shares for row in share[i]] == batch
    assert len({len(share[0]) for share in shares}) <= 2
    for place in range(10):
        rows = {batch[place] for batch in plan if place < len(batch)}
        assert sum(any(rows & set(own) for own in share) for share in shares) == 1


def test_fewer_rows_than_processes_are_refused():
    with pytest.raises(ConfigError) as caught:
        one_of(0, 5).share(PLAN, rows=True)
    assert str(caught.value) == (
        "batches of 4 rows cannot be shared by 5 processes; raise training.batch_size, or use "
        "fewer processes"
    )


def test_alone_one_gathers_ones_own():
    own = {"a": torch.ones(2)}
    assert Processes("cpu").gather(own) == [own]
