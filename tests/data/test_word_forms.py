import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwise.data.word_forms import form_of


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("walking", "<unknown-ing>"),
        ("Walking", "<unknown-Cap-ing>"),
        ("kinase", "<unknown-ase>"),
        ("its", "<unknown>"),
        ("A", "<unknown-Cap>"),
        ("DNA", "<unknown-CAPS>"),
        ("mRNA", "<unknown-mIxed>"),
        ("p53", "<unknown-digit>"),
        ("Tif1β", "<unknown-Cap-digit>"),
        ("RAD51–BRCA2", "<unknown-CAPS-digit>"),
        ("and/or", "<unknown-dash-or>"),
        ("1,000", "<unknown-number>"),
        ("-", "<unknown-mark>"),
        ("°", "<unknown-mark>"),
    ],
)
def test_a_form_tells_case_digits_dashes_and_ending(word, form):
    assert form_of(word) == form


@given(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1))
def test_every_word_has_a_form_without_blanks(word):
    form = form_of(word)
    assert form.startswith("<unknown") and form.endswith(">")
    assert not any(letter.isspace() for letter in form)
