import torch

from cellwise.heads.locked_dropout import LockedDropout


def test_all_steps_share_a_mask_and_rows_do_not():
    y = LockedDropout(0.5)(torch.ones(7, 3, 50))
    assert (y == y[:1]).all()
    assert (y[0, 0] != y[0, 1]).any()
    assert set(y.flatten().tolist()) == {0.0, 2.0}


def test_the_share_that_is_kept_and_what_makes_up_for_the_rest():
    y = LockedDropout(0.3)(torch.ones(1, 100, 1000, dtype=torch.bfloat16))
    assert y.dtype == torch.bfloat16
    kept = y != 0
    # Five standard deviations of a mean of 100,000 draws.
    assert abs(float(kept.float().mean()) - 0.7) < 5 * (0.7 * 0.3 / 1e5) ** 0.5
    assert (y[kept] == torch.tensor(1 / 0.7).bfloat16()).all()


def test_evaluation_changes_nothing():
    x = torch.randn(4, 2, 3)
    assert LockedDropout(0.5).eval()(x) is x
    assert LockedDropout(0.0)(x) is x


def test_a_mask_serves_for_steps_one_by_one():
    dropout, x = LockedDropout(0.5), torch.randn(4, 2, 30)
    mask = dropout.mask(x)
    assert mask.shape == (1, 2, 30)
    assert set(mask.flatten().tolist()) == {0.0, 2.0}
    assert (dropout.eval().mask(x) == 1).all()
