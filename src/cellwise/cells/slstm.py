"""The scalar cell of xLSTM: an exponential input gate, a normaliser and a stabiliser.

Equations 8 to 17 of the paper, one head (W is dense), with the sigmoid forget gate, one of the
paper's two choices and that of the authors' code. The stabiliser m changes no output: c and n
carry the same factor exp(-m). Ours has one difference: it divides by no less than `tiny`, since
before the first open input gate n can underflow to 0, where the paper's quotient is 0 / 0. Once a
gate has opened, n >= 1. The forget biases start uniform in (3, 6), so that the cell remembers.
torch has none.
"""

from cellwise.cell import Cell

TITLE = "sLSTM, the scalar cell of xLSTM"
SOURCE = "Beck et al. 2024, xLSTM: extended long short-term memory, arXiv:2405.04517, eq. 8-17"

EQUATIONS = """
z[t] = tanh(U_z @ x[t] + W_z @ h[t-1] + b_z)          # cell input
o[t] = sigmoid(U_o @ x[t] + W_o @ h[t-1] + b_o)       # output gate
a[t] = U_i @ x[t] + W_i @ h[t-1] + b_i                # log of the input gate
l[t] = -softplus(-(U_f @ x[t] + W_f @ h[t-1] + b_f))  # log of the forget gate
m[t] = max(l[t] + m[t-1], a[t])                       # stabiliser
i[t] = exp(a[t] - m[t])                               # input gate, stabilised
f[t] = exp(l[t] + m[t-1] - m[t])                      # forget gate, stabilised
c[t] = f[t] * c[t-1] + i[t] * z[t]                    # the cell
n[t] = f[t] * n[t-1] + i[t]                           # normaliser: the sum of the cell's weights
h[t] = o[t] * (c[t] / max(n[t], tiny))                # the output
tiny = 1e-20
"""

CELL = Cell(EQUATIONS, name="slstm", init={"b_f": "uniform(3, 6)"})
