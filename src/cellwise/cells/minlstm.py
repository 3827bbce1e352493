"""The minimal LSTM for parallel training: gates see the input only and add up to one.

The linear form of section 3.2, in which f' = f / (f + i) and i' = i / (f + i). The quotient of
two sigmoids is 0 / 0 when both saturate; ours is the same number as a sigmoid of the difference
of their logarithms, which the paper's code uses too. The paper's other form, in logarithms, makes
the candidate positive; ours does not. torch has none.
"""

from cellwise.cell import Cell

TITLE = "minLSTM"
SOURCE = "Feng et al. 2024, Were RNNs all we needed?, arXiv:2410.01201, section 3.2"

EQUATIONS = """
p[t] = softplus(-(U_f @ x[t] + b_f))      # -log of the forget gate
q[t] = softplus(-(U_i @ x[t] + b_i))      # -log of the input gate
f[t] = sigmoid(q[t] - p[t])               # the forget gate's share of both
g[t] = U_h @ x[t] + b_h                   # candidate content, linear in the input
h[t] = f[t] * h[t-1] + (1 - f[t]) * g[t]  # the state enters linearly
"""

CELL = Cell(EQUATIONS, name="minlstm", init={"b_f": 1.0})
