"""From text to terms."""

from __future__ import annotations

import pytest

from cellwise.equation import read_system, show
from cellwise.graph.build import number
from tests.equation.refusal import refusal

REFUSED = [
    (
        "h[t] = mean(x[t] for t)",
        "EquationError: line 1, column 8: 'mean' cannot run over steps or children\n"
        "    h[t] = mean(x[t] for t)\n"
        "           ^^^^^^^^^^^^^^^^\n"
        "  Only 'sum' can.",
    ),
    (
        "h[t] = sun(x[t] for t)",
        "EquationError: line 1, column 8: 'sun' cannot run over steps or children\n"
        "    h[t] = sun(x[t] for t)\n"
        "           ^^^^^^^^^^^^^^^\n"
        "  Only 'sum' can. Did you mean 'sum'?",
    ),
    (
        "h[n] = sum(h[k] for k in t)",
        "EquationError: line 1, column 8: unknown range 'for k in t'\n"
        "    h[n] = sum(h[k] for k in t)\n"
        "           ^^^^^^^^^^^^^^^^^^^^\n"
        "  Write 'for t' (all steps) or 'for k in n' (the children of a node).",
    ),
    (
        "h[t] = sum(x[t] for s)",
        "EquationError: line 1, column 8: unknown range 'for s'\n"
        "    h[t] = sum(x[t] for s)\n"
        "           ^^^^^^^^^^^^^^^\n"
        "  Write 'for t' (all steps) or 'for k in n' (the children of a node).",
    ),
    (
        "given W.T\nh[t] = W @ x[t]",
        "EquationError: line 1, column 7: 'given' takes names, but 'W.T' is found\n"
        "    given W.T\n"
        "          ^^^",
    ),
    (
        "same W(V, 0, 1, 2), x\nh[t] = W @ x[t]",
        "EquationError: line 1, column 6: 'W(V, 0, 1, 2)' is neither a name nor a "
        "transposed array\n"
        "    same W(V, 0, 1, 2), x\n"
        "         ^^^^^^^^^^^^^",
    ),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_refusal_says_why_where_and_what_instead(text, message):
    assert refusal(text) == message


def test_prefixes_in_a_row_are_bounded():
    text = "h[t] = " + "-" * 500 + "x[t]"
    assert "the expression nests deeper than 400 levels" in refusal(text)
    assert "the expression nests deeper than 400 levels" in refusal("h[t] = x[t]" + " ** 2" * 500)


def test_a_flat_sum_of_three_thousand_terms_is_read_and_printed():
    text = "h[t] = " + " + ".join(["x[t]"] * 3_000)
    assert show(read_system(text)) == text


SAME = [
    (
        "fₜ = σ(U_f xₜ + W_f hₜ₋₁ + b_f)\nhₜ = fₜ",
        "f[t] = sigmoid(U_f @ x[t] + W_f @ h[t-1] + b_f)\nh[t] = f[t]",
    ),
    ("h[t] = W x[t] ∘ b ⊙ c × d − 1", "h[t] = (W @ x[t]) * b * c * d - 1"),
    ("h[t] = W · x[t] + M⋅x[t]", "h[t] = W @ x[t] + M @ x[t]"),
    ("h[t] = Wᵀ x[t] + W xₜ²", "h[t] = W.T @ x[t] + W @ (x[t] ** 2)"),
    ("h[t] = A B x[t]", "h[t] = A @ (B @ x[t])"),
    ("h[t] = (A + B.T) x[t]", "h[t] = (A + B.T) @ x[t]"),
    ("h[t] = W (x[t] + 1)", "h[t] = W @ (x[t] + 1)"),
    ("h[t] = w (x[t] + 1) + w @ x[t]", "h[t] = w @ (x[t] + 1) + w @ x[t]"),
    ("h[t] = W [x[t], h[t-1]]", "h[t] = W @ [x[t], h[t-1]]"),
    ("h[t] = -W x[t]", "h[t] = -(W @ x[t])"),
    ("h[t] = 2 * W @ x[t]", "h[t] = 2 * (W @ x[t])"),
    ("h[t] = x[t] ** 2 ** b", "h[t] = x[t] ** (2 ** b)"),
    ("h[t] = x[t] ** -1 - -2", "h[t] = x[t] ** (-1) - (-2)"),
    ("h[t] = - x[ t ] + h[t - 1]", "h[t] = -x[t] + h[t-1]"),
    ("h[t] = .5*x[t] + 1.*b + 1e-3", "h[t] = 0.5 * x[t] + 1 * b + 0.001"),
    ("h₀ = h_0\nhₜ = hₜ₋₁", "h[0] = h_0\nh[t] = h[t-1]"),
    ("hₙ = ∑(fₙₖ ∘ hₖ for k in n)\n", "h[n] = sum(f[n,k] * h[k] for k in n)\n"),
    ("h[t] = x[t]\nD = Σ(x[t] ⊗ h[t] for t)", "h[t] = x[t]\nD = sum(outer(x[t], h[t]) for t)"),
    ("\ufeffh[t] = é[t]", "h[t] = e\u0301[t]"),
    ("h[t] = W.T.T.T @ x[t]", "h[t] = Wᵀᵀᵀ x[t]"),
]


@pytest.mark.parametrize(("written", "plain"), SAME)
def test_two_ways_to_write_the_same(written, plain):
    edge = "f[n,k] = h[k]\n" if "[n]" in plain else ""
    assert read_system(edge + written) == read_system(edge + plain)


def test_a_bracketed_number_is_no_literal():
    minus = read_system("h[t] = x[t] * -(2)").equations[0].value.arguments[1]
    assert minus.operation == "neg"
    literal = read_system("h[t] = x[t] * -2").equations[0].value.arguments[1]
    assert literal is number(-2.0)


def test_names_with_marks_greek_letters_and_digits():
    system = read_system("c̃[t] = γ_1 * ñ[t]\nλ₂[t] = c̃[t] + β")
    assert system.inputs == ("ñ",)
    assert list(system.parameters) == ["γ_1", "β"]
    assert system.output == "λ₂"


def test_words_of_the_notation_can_be_names():
    text = "output[t] = output[t-1] + given * x[t]\nscalar[t] = output[t] * for_ * same"
    assert read_system(text).states == ("output",)


def test_places_are_those_of_the_text_as_written():
    text = "c̃[t] = é * x[t]\nh[t] = c̃[t]"
    system = read_system(text)
    value = system.equations[0].value
    assert text[system.spans[value].start : system.spans[value].end] == "é * x[t]"
    assert [line.span.line for line in system.equations if line.span] == [1, 2]
