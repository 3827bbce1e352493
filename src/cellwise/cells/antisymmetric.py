"""The antisymmetric network: Euler steps of an equation that neither explodes nor dies out.

The eigenvalues of W - Wᵀ are imaginary; `gamma` damps them a little, for the Euler step `eps`
needs it. This is the form without gate of section 3 of the paper. W starts small and normal, as
in the paper, not orthogonal. torch has none.
"""

from cellwise.cell import Cell

TITLE = "Antisymmetric recurrent network"
SOURCE = (
    "Chang et al. 2019, AntisymmetricRNN: a dynamical system view on recurrent neural networks, "
    "ICLR, arXiv:1902.09689, section 3"
)

EQUATIONS = """
a[t] = U_h @ x[t] + (W_h - W_h.T) @ h[t-1] - gamma * h[t-1] + b_h  # a rotation, slightly damped
h[t] = h[t-1] + eps * tanh(a[t])                                   # one Euler step
eps = 0.1
gamma = 0.01
"""

CELL = Cell(EQUATIONS, name="antisymmetric", init={"W_h": "normal(0.02)"})
