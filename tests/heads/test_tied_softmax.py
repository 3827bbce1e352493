import copy

import torch
from torch import nn

from cellwise.heads.tied_softmax import TiedSoftmax


def test_symbols_are_read_and_written_by_one_matrix():
    embedding = nn.Embedding(5, 3, padding_idx=0)
    head = TiedSoftmax(embedding)
    features = torch.randn(4, 2, 3)
    torch.testing.assert_close(head(features), features @ embedding.weight.T + head.bias)
    head(features).sum().backward()
    assert embedding.weight.grad is not None
    assert list(head.state_dict()) == ["bias"]


def test_the_vectors_are_as_short_as_logits_need_and_padding_is_nothing():
    torch.manual_seed(0)
    embedding = nn.Embedding(2000, 16, padding_idx=0)
    TiedSoftmax(embedding)
    assert (embedding.weight[0] == 0).all()
    assert 0.9 < embedding.weight[1:].square().sum(-1).mean() < 1.1


def test_a_copy_of_a_model_is_tied_within_itself():
    model = nn.ModuleDict({"symbols": nn.Embedding(5, 3)})
    embedding = model["symbols"]
    assert isinstance(embedding, nn.Embedding)
    model["head"] = TiedSoftmax(embedding)
    other = copy.deepcopy(model)
    assert other["head"].weight is other["symbols"].weight
    assert other["head"].weight is not embedding.weight
