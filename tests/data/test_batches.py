import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st

from cellwise.data.batches import in_chunks, lengths_of, pad, plan_batches, plan_in_order

SIZES = [(7 * i) % 23 for i in range(500)]


@given(st.lists(st.integers(0, 30), max_size=200), st.integers(1, 40), st.integers(0, 5))
def test_every_example_is_in_one_batch(sizes, batch_size, epoch):
    batches = plan_batches(sizes, batch_size, seed=3, epoch=epoch)
    assert sorted(itertools.chain(*batches)) == list(range(len(sizes)))
    assert all(0 < len(batch) <= batch_size for batch in batches)


def test_seed_and_epoch_fix_the_plan():
    plan = plan_batches(SIZES, 16, seed=1, epoch=2)
    assert plan == plan_batches(SIZES, 16, seed=1, epoch=2)
    assert plan != plan_batches(SIZES, 16, seed=1, epoch=3)
    assert plan != plan_batches(SIZES, 16, seed=2, epoch=2)


def test_planning_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    plan_batches(SIZES, 16, seed=1, epoch=2)
    assert torch.equal(before, torch.get_rng_state())


def test_a_batch_holds_like_lengths_in_a_mixed_order():
    batches = plan_batches(SIZES, 16, seed=1, epoch=0)
    spans = [max(SIZES[i] for i in b) - min(SIZES[i] for i in b) for b in batches]
    assert max(spans) <= 2
    firsts = [SIZES[batch[0]] for batch in batches]
    assert firsts != sorted(firsts)


def test_evaluation_goes_from_short_to_long():
    batches = plan_in_order([5, 1, 3, 1], 3)
    assert batches == [[1, 3, 2], [0]]
    assert plan_in_order([], 3) == []


def test_padding_puts_time_first():
    rows = [[1, 2, 3], [], [4]]
    assert pad(rows, 0).tolist() == [[1, 0, 4], [2, 0, 0], [3, 0, 0]]
    assert lengths_of(rows).tolist() == [3, 0, 1]
    assert pad([], 0).shape == (0, 0)


def test_chunks_come_as_soon_as_they_are_full():
    source = iter(range(5))
    chunks = in_chunks(source, 2)
    assert next(chunks) == [0, 1]
    assert next(source) == 2
    assert list(chunks) == [[3, 4]]
