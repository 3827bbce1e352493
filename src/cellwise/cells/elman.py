"""The simple recurrent network of Elman, the first network of every lecture on the subject.

The paper draws it as a network whose hidden units are copied to context units that feed back at
the next step, with logistic units and without numbered equations. Ours differs in having tanh
units, as torch.nn.RNN has, and one bias vector where torch has two that are added.
"""

from cellwise.cell import Cell

TITLE = "Simple recurrent network"
SOURCE = "Elman 1990, Finding structure in time, Cognitive Science 14(2), figure 2"

EQUATIONS = """
h[t] = tanh(U_h @ x[t] + W_h @ h[t-1] + b_h)  # the hidden units see their own past
"""

CELL = Cell(EQUATIONS, name="elman")
