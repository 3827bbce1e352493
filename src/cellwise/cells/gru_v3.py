"""The gated recurrent unit of torch.nn.GRU and cuDNN: the reset gate acts after the product.

The candidate then has two biases that do not add up, `b_in` outside and `b_hn` inside the reset;
z = 1 keeps and z = 0 writes, as in Cho and colleagues. The stacked weights of torch are in the
order r, z, n; its biases of r and of z are sums of two. On the name: Flux calls this form GRUv3.
It does not mean the third version of the paper on arXiv, which resets before the product; the
reset after it is in the first version.
"""

from cellwise.cell import Cell

TITLE = "Gated recurrent unit, reset after the product"
SOURCE = (
    "Cho et al. 2014, Learning phrase representations using RNN encoder-decoder, "
    "arXiv:1406.1078v1; torch.nn.GRU"
)

EQUATIONS = """
r[t] = sigmoid(U_r @ x[t] + W_r @ h[t-1] + b_r)                # reset gate: how much past n sees
z[t] = sigmoid(U_z @ x[t] + W_z @ h[t-1] + b_z)                # update gate: how much to keep
n[t] = tanh(U_n @ x[t] + b_in + r[t] * (W_n @ h[t-1] + b_hn))  # candidate content
h[t] = (1 - z[t]) * n[t] + z[t] * h[t-1]                       # the new state
"""

CELL = Cell(EQUATIONS, name="gru_v3")
