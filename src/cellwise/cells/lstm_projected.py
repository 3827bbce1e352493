"""The long short-term memory whose output is projected to a smaller vector, which alone feeds back.

Sizes: `hidden_size` is the size of the output h, `sizes={"c": 512}` that of the cell (the same by
default). torch.nn.LSTM calls these `proj_size` and `hidden_size`. The paper's equations have
peepholes and a second, non-recurrent projection; ours has neither, as torch.
"""

from cellwise.cell import Cell

TITLE = "Long short-term memory with a projected output"
SOURCE = (
    "Sak, Senior and Beaufays 2014, Long short-term memory recurrent neural network architectures "
    "for large scale acoustic modeling, Interspeech, eq. 7-12"
)

EQUATIONS = """
i[t] = sigmoid(U_i @ x[t] + W_i @ h[t-1] + b_i)  # input gate
f[t] = sigmoid(U_f @ x[t] + W_f @ h[t-1] + b_f)  # forget gate
o[t] = sigmoid(U_o @ x[t] + W_o @ h[t-1] + b_o)  # output gate
g[t] = tanh(U_g @ x[t] + W_g @ h[t-1] + b_g)     # candidate content
c[t] = f[t] * c[t-1] + i[t] * g[t]               # the cell
h[t] = W_p @ (o[t] * tanh(c[t]))                 # the output, projected
"""

CELL = Cell(EQUATIONS, name="lstm_projected")
