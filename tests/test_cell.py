"""The class that users meet: a cell and what is derived from it."""

from __future__ import annotations

import copy

import pytest
import torch

import cellwise as cw
from cellwise.cell import Cell
from cellwise.equation import read_system, show
from cellwise.errors import ConfigError, EquationError, StructureError
from cellwise.graph.dimension import Dim

TEXT = """
    a = 0.5
    h[0] = h_0
    c[t] = a * c[t-1] + tanh(U @ x[t] + W @ h[t-1] + b)  # memory
    h[t] = tanh(c[t])
"""


@pytest.fixture
def cell() -> Cell:
    return Cell(TEXT, name="small", init={"b": 1, "W": "orthogonal", "U": "uniform(-0.1, 0.1)"})


def test_what_a_cell_says_of_itself(cell):
    assert cell.name == "small"
    assert cell.inputs == ("x",)
    assert cell.states == ("h", "c")
    assert cell.output == "h"
    assert cell.constants == {"a": 0.5}
    assert list(cell.parameters) == ["U", "W", "b", "h_0"]
    assert cell.parameters["U"] == (Dim.of("h"), Dim.of("x"))
    assert dict(cell.init) == {"b": 1, "W": "orthogonal", "U": "uniform(-0.1, 0.1)"}


def test_the_normal_form_is_read_back(cell):
    assert str(cell) == (
        "a = 0.5\n"
        "h[0] = h_0\n"
        "c[t] = a * c[t-1] + tanh(U @ x[t] + W @ h[t-1] + b)  # memory\n"
        "h[t] = tanh(c[t])"
    )
    assert Cell(str(cell)) == cell
    assert hash(Cell(str(cell))) == hash(cell)
    assert Cell(cell.unicode()) == cell
    assert Cell(str(cell).replace("0.5", "0.25")) != cell
    assert cell != str(cell)


def test_it_is_shown_in_a_notebook(cell):
    assert cell._repr_latex_() == f"$${cell.latex()}$$"
    assert cell.latex().startswith("\\begin{aligned}")
    assert repr(Cell("h[t] = x[t]")) == "Cell('h[t] = x[t]', name='cell')"


def test_a_copy_is_equal(cell):
    other = copy.deepcopy(cell)
    assert other == cell
    assert (other.name, other.init) == (cell.name, cell.init)


def test_backward_equations(cell):
    derived = Cell("h[t] = tanh(U @ x[t] + W @ h[t-1] + b)", name="elman").backward()
    assert derived.name == "elman.backward"
    assert str(derived) == (
        "given h, x\n"
        "same d_x, x\n"
        "output d_x\n"
        "d_h[t] = d_out_h[t] + d_prev_h[t+1]\n"
        "d_pre_h[t] = d_h[t] * (1 - h[t] ** 2)\n"
        "d_x[t] = U.T @ d_pre_h[t]\n"
        "d_prev_h[t] = W.T @ d_pre_h[t]\n"
        "d_U = sum(outer(d_pre_h[t], x[t]) for t)\n"
        "d_W = sum(outer(d_pre_h[t], h[t-1]) for t)\n"
        "d_b = sum(d_pre_h[t] for t)"
    )
    for other in (derived, cell.backward(), cell.forward_mode()):
        assert Cell(str(other)) == other
        assert Cell(other.unicode()) == other
        assert other.latex()


def test_tangents_of_tangents(cell):
    twice = cell.forward_mode().forward_mode()
    assert twice.name == "small.forward_mode.forward_mode"
    assert Cell(str(twice)) == twice


def test_a_cell_from_a_system_keeps_the_sizes_apart():
    system = read_system("h[t] = W @ x[t]")
    assert Cell.from_system(system, "linear") == Cell("h[t] = W @ x[t]")
    assert show(Cell.from_system(system).system) == "h[t] = W @ x[t]"


@pytest.mark.parametrize("method", ["backward", "forward_mode"])
def test_trees_have_derived_equations(method):
    tree = Cell("h[n] = tanh(W @ x[n] + sum(h[k] for k in n))", name="tree")
    derived = getattr(tree, method)()
    assert derived.name == f"tree.{method}"
    assert Cell(str(derived)) == derived


FORMS = ["orthogonal", "glorot", "zeros", "ones", " normal( 2e-2 ) ", "uniform(-.1,1.)", 0.5, -1]


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_initial_values(form):
    kept = Cell(TEXT, init={"W": form}).init["W"]
    assert kept == (form.strip() if isinstance(form, str) else form)


KNOWN = (
    "Known are orthogonal, glorot, zeros, ones, uniform(low, high), normal(deviation) and a number."
)
WRONG = [
    ({"V": "zeros"}, "init names 'V', but no parameter has this name"),
    ({"h0": 1.0}, "init names 'h0', but no parameter has this name\n  Did you mean 'h_0'?"),
    ({"c": 1.0}, "init names 'c', but no parameter has this name"),
    (
        {"W": "ortogonal"},
        f"init of 'W': unknown form 'ortogonal'\n  {KNOWN} Did you mean 'orthogonal'?",
    ),
    ({"W": "normal"}, f"init of 'W': unknown form 'normal'\n  {KNOWN} Did you mean 'normal'?"),
    ({"W": "exec(1)"}, f"init of 'W': unknown form 'exec(1)'\n  {KNOWN}"),
    ({"W": "normal(-1)"}, "init of 'W': the deviation of 'normal(-1)' is below 0"),
    (
        {"W": "uniform(1, 0)"},
        "init of 'W': in 'uniform(1, 0)' the low end is above the high one",
    ),
    ({"W": "uniform(0, 1e400)"}, "init of 'W': a number of 'uniform(0, 1e400)' is too large"),
    ({"W": float("nan")}, "init of 'W' must be a word or a number, not nan"),
    ({"W": True}, "init of 'W' must be a word or a number, not True"),
    ({5: 1}, "init names '5', but no parameter has this name"),
    ([("W", 1)], "init must be a dictionary, not a list"),
]


@pytest.mark.parametrize(("init", "message"), WRONG)
def test_wrong_initial_values(init, message):
    with pytest.raises(EquationError) as caught:
        Cell(TEXT, init=init)
    assert str(caught.value) == message


def test_tangents_are_not_derived_again_as_if_they_were_a_cell():
    tangent = cw.Cell("h[t] = tanh(U @ x[t] + W @ h[t-1])", name="mine").forward_mode()
    with pytest.raises(cw.StructureError) as caught:
        tangent.backward()
    assert str(caught.value) == (
        "'mine.forward_mode' is derived itself: the signals that it is given depend on the "
        "parameters, too, which its own equations do not say"
    )


def test_a_state_that_a_matrix_multiplies_is_a_vector():
    text = "c[0] = c_0\nc[t] = 0.9 * c[t-1]\nh[t] = tanh(U @ x[t] + W @ c[t])"
    found = cw.Cell(text)
    assert {name: len(shape) for name, shape in found.system.parameters.items()} == {
        "c_0": 1,
        "U": 2,
        "W": 2,
    }
    layer = cw.Recurrent(text, 3, 4, sizes={"c": 5})
    assert layer(torch.zeros(2, 1, 3))[1].c.shape == (1, 1, 5)
    products = ("W @ [x[t], c[t]]", "W @ (0.5 * c[t-1])", "bilinear(V, c[t], x[t])")
    for other in ("norm(c[t])", *products):
        alike = cw.Cell(text.replace("W @ c[t]", other))
        assert len(alike.system.parameters["c_0"]) == 1


def test_a_state_that_only_scales_a_vector_stays_a_number():
    found = cw.Cell("n[0] = n_0\nn[t] = n[t-1] + 1\nh[t] = tanh(U @ (n[t] * x[t]) + W @ h[t-1])")
    assert found.system.parameters["n_0"] == ()


def test_derived_values_that_are_no_cotangents_are_not_called_so():
    found = str(cw.Cell("h[t] = relu(U @ x[t]) ** 2 * h[t-1]").backward())
    assert "v_1[t] = U @ x[t]\nv_2[t] = relu(v_1[t])\n" in found


@pytest.mark.parametrize("what", [None, 5, b"h[t] = x[t]"])
def test_what_is_no_text_is_refused(what):
    with pytest.raises(EquationError, match="a cell is made of a text of equations, not of "):
        Cell(what)


def test_names_are_the_same_however_their_letters_are_written():
    text = "e\u0301 = 0.5\nh[t] = e\u0301 * h[t-1] + U\u0308 @ x[t]"
    layer = cw.Recurrent(Cell(text, init={"U\u0308": 1}), 2, 2, constants={"e\u0301": 0.25})
    y = layer(torch.ones(2, 1, 2))[0]
    assert y.flatten().tolist() == [2, 2, 2.5, 2.5]


NOT_LAST = """
h[t] = tanh(U @ x[t] + W @ m[t-1])
m[t] = 0.5 * m[t-1] + h[t]
q[t] = m[t] * q[t-1]
output h
"""


@pytest.mark.parametrize("rates", [{"m": 0.1}, {"q": 0.1}, {"m": 0.3, "q": 0.2}])
def test_zoneout_keeps_the_order_of_lines(rates):
    """An output that later lines read stays before them: gradients follow the order."""
    zoned = Cell("h[t] = h[t-1]\n" + NOT_LAST.replace("h[t] =", "p[t] ="), name="c")
    del zoned
    cell = Cell(NOT_LAST + "", name="not_last")
    rates = {state: rate for state, rate in rates.items() if state in cell.states}
    zoned = cell.zoneout(rates)
    assert Cell(str(zoned)) == zoned
    layer = cw.Recurrent(zoned, 3, 3, dtype=torch.float64)
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x)[0], x)
    assert copy.deepcopy(zoned) == zoned


@pytest.mark.parametrize(
    ("name", "rates", "error", "message"),
    [
        (
            "tree_lstm",
            {"h": 0.1},
            StructureError,
            "the cell 'tree_lstm' is over trees, where no state stays from step to step",
        ),
        ("lstm", {"q": 0.1}, ConfigError, "the cell 'lstm' has no state 'q'. Its states: h, c."),
        *[
            (
                "lstm",
                {"h": rate},
                ConfigError,
                f"zoneout of 'h' must be at least 0 and below 1, not {rate!r}",
            )
            for rate in (1.5, -1, "a", float("nan"), True)
        ],
    ],
)
def test_wrong_rates_of_zoneout(name, rates, error, message):
    with pytest.raises(error) as caught:
        cw.cells.get(name).zoneout(rates)
    assert str(caught.value) == message
