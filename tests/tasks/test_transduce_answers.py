import torch

from cellwise.heads.search import Found
from cellwise.tasks.transduce_answers import Told, attention_record, without_source


def test_attention_has_a_row_for_each_symbol_and_the_end_and_no_padding():
    weights = torch.tensor([[0.25, 0.75, 0.0], [1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.3, 0.7, 0.0]])
    record = attention_record(["a", "b"], ["x", "y"], Told([Found([4, 5], -1.0)], weights))
    assert record == {
        "source": ["a", "b"],
        "target": ["x", "y", "<end>"],
        "weights": [[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]],
    }


def test_a_source_without_symbols_has_no_weights():
    record = attention_record([], [], Told([Found([], 0.0)]))
    assert record == {"source": [], "target": [], "weights": []}


def test_several_answers_share_a_source():
    assert without_source({"source": "a", "output": "x"}) == {"output": "x"}
