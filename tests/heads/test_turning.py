import pytest
import torch

from cellwise.heads.turning import turned


@pytest.mark.parametrize("more", [(), (3,)])
def test_each_column_is_turned_within_its_length(more):
    lengths = [0, 1, 4, 6]
    columns = torch.arange(6 * 4)[:, None].expand(-1, 3).reshape(6, 4, 3)[..., : len(more) * 2 + 1]
    columns = columns if more else columns[..., 0]
    found = turned(columns, torch.tensor(lengths))
    for at, n in enumerate(lengths):
        expected = [*columns[:n, at].flip(0), *columns[n:, at]]
        assert torch.equal(found[:, at], torch.stack(expected))
    assert torch.equal(turned(found, torch.tensor(lengths)), columns)


def test_nothing_is_turned_where_nothing_is():
    assert turned(torch.zeros(0, 2), torch.zeros(2, dtype=torch.int64)).shape == (0, 2)
    assert turned(torch.zeros(3, 0), torch.zeros(0, dtype=torch.int64)).shape == (3, 0)
