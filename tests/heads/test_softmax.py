import torch

from cellwise.heads.softmax import Softmax
from tests.tolerances import TOLERANCE


def test_probabilities_sum_to_one():
    head = Softmax(5, 3).double()
    p = head.log_probabilities(50 * torch.randn(4, 2, 5, dtype=torch.float64)).exp()
    one = torch.ones(4, 2, dtype=torch.float64)
    torch.testing.assert_close(p.sum(-1), one, **TOLERANCE[torch.float64]["exact"])
