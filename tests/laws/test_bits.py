"""The bits that compiled layers compute: every cell of the zoo, and odd sizes."""

from __future__ import annotations

import pytest

from cellwise import cells
from tests.laws import bits
from tests.laws.bits import Subject

SUBJECTS = [Subject(name, 5, 11) for name in cells.names("chain")]
ODD = [Subject(name, size, size) for name in ("lstm", "gru", "elman") for size in (1, 3, 17, 100)]
LARGE = [Subject("lstm", 33, 650), Subject("lstm", 5, 1023)]


def _keeps_all_laws(subject: Subject) -> None:
    bits.the_same_call_gives_the_same_bits(subject)
    bits.threads_change_no_bits(subject)
    bits.rows_do_not_depend_on_their_batch_mates(subject)
    bits.permuting_rows_permutes_bits(subject)
    bits.padding_never_matters(subject)
    bits.nothing_to_compute_is_no_error(subject)
    bits.a_bad_row_spoils_no_other(subject)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: s.cell)
def test_a_cell_keeps_all_laws_of_bits(subject: Subject) -> None:
    _keeps_all_laws(subject)


@pytest.mark.parametrize("subject", ODD, ids=lambda s: f"{s.cell}-{s.hidden_size}")
def test_odd_sizes_keep_all_laws_of_bits(subject: Subject) -> None:
    _keeps_all_laws(subject)


@pytest.mark.parametrize("subject", LARGE, ids=lambda s: f"{s.cell}-{s.hidden_size}")
def test_large_odd_sizes_have_bits_of_their_own(subject: Subject) -> None:
    bits.threads_change_no_bits(subject)
    bits.rows_do_not_depend_on_their_batch_mates(subject)
