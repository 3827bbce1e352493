from __future__ import annotations

import pytest

from cellwise.tasks.distinct import distinct

ANSWERS = [["i", "do", "not", "know"], ["i", "do"], [], ["i"]]


@pytest.mark.parametrize(("n", "share"), [(1, 4 / 7), (2, 3 / 4), (3, 1.0), (5, 0.0)])
def test_distinct_n_grams_over_all_n_grams(n, share):
    assert distinct(ANSWERS, n) == pytest.approx(share)
