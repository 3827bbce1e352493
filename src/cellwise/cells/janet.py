"""JANET: a long short-term memory of which only the forget gate is left.

The form of the paper with `beta`, which lets more in than is forgotten; beta = 0 couples the two.
The paper starts b_f at the logarithm of a uniform number up to the longest lag ("chrono"); ours
starts it uniform in (0, 5), that is, lags up to about 150 steps. torch has none.
"""

from cellwise.cell import Cell

TITLE = "JANET, the forget gate alone"
SOURCE = (
    "van der Westhuizen and Lasenby 2018, The unreasonable effectiveness of the forget gate, "
    "arXiv:1804.04849, section 2"
)

EQUATIONS = """
s[t] = U_f @ x[t] + W_f @ h[t-1] + b_f                             # what the gate is made of
g[t] = tanh(U_g @ x[t] + W_g @ h[t-1] + b_g)                       # candidate content
h[t] = sigmoid(s[t]) * h[t-1] + (1 - sigmoid(s[t] - beta)) * g[t]  # the new state
beta = 1
"""

CELL = Cell(EQUATIONS, name="janet", init={"b_f": "uniform(0, 5)"})
