import torch

from cellwise.heads.locked_dropout import LockedDropout


def test_all_steps_share_a_mask_and_rows_do_not():
    y = LockedDropout(0.5)(torch.ones(7, 3, 50))
    assert (y == y[:1]).all()
    assert (y[0, 0] != y[0, 1]).any()
    assert set(y.flatten().tolist()) == {0.0, 2.0}


def test_evaluation_changes_nothing():
    x = torch.randn(4, 2, 3)
    assert LockedDropout(0.5).eval()(x) is x
    assert LockedDropout(0.0)(x) is x
