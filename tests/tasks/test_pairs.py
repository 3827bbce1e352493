import torch

from cellwise.tasks.pairs import Pair, PairBatch, merged


def test_a_source_comes_once_with_all_its_targets():
    pairs = [Pair("a", ("x",)), Pair("b", ("y",)), Pair("a", ("z", "x"))]
    assert merged(pairs) == [Pair("a", ("x", "z")), Pair("b", ("y",))]


def test_a_pair_tells_its_texts_by_side():
    pair = Pair("a", ("x", "z"))
    assert pair.texts("source") == ("a",)
    assert pair.texts("target") == ("x", "z")


def test_a_batch_moves_as_a_whole():
    part = torch.zeros(2, 2, dtype=torch.int64)
    batch = PairBatch(part, part, part, part, part, n_units=3)
    moved = batch.to(torch.device("meta"))
    assert moved.source.device.type == moved.target_lengths.device.type == "meta"
    assert moved.n_units == 3
