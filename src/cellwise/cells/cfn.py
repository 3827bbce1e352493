"""The chaos-free network: gates as in an LSTM, but without input the state always falls to zero.

The three equations of the paper, whose U_theta and V_theta are our W_theta and U_theta. Its
biases start at 1 (theta) and -1 (eta), as in the paper's experiments. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Chaos-free network"
SOURCE = (
    "Laurent and von Brecht 2017, A recurrent neural network without chaos, ICLR, "
    "arXiv:1612.06212, section 1"
)

EQUATIONS = """
theta[t] = sigmoid(U_theta @ x[t] + W_theta @ h[t-1] + b_theta)  # forget gate
eta[t] = sigmoid(U_eta @ x[t] + W_eta @ h[t-1] + b_eta)          # input gate
h[t] = theta[t] * tanh(h[t-1]) + eta[t] * tanh(U_h @ x[t])       # units mix through the gates only
"""

CELL = Cell(EQUATIONS, name="cfn", init={"b_theta": 1.0, "b_eta": -1.0})
