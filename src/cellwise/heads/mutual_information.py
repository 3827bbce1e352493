"""A decoder against dull answers: what would be said anyway counts against itself.

Source: Li et al. 2016, "A diversity-promoting objective function for neural conversation models"
(arXiv:1510.03055), equations 9 and 11: log p(T | S) - lambda log U(T), where U takes only the first
symbols of T into account. Their p(T) is a language model; ours is the decoder itself, told nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from cellwise.heads.search import State, Step


@dataclass(frozen=True)
class MutualInformation:
    """Two decoders as one: of an answer to what was said, and of the same answer to nothing.

    Attributes:
        informed: the decoder that knows the source.
        blind: the decoder that knows nothing.
        n_informed: how many tensors of the state are the first one's; those of the other follow,
            and last the number of symbols written so far, `[1, rows, 1]`.
        weight: lambda.
        n_symbols: how many first symbols are weighed.
    """

    informed: Step
    blind: Step
    n_informed: int
    weight: float
    n_symbols: int

    def __call__(self, last: Tensor, state: State) -> tuple[Tensor, State]:
        """One step on; what comes are scores, not log probabilities any more."""
        *parts, written = state
        log_p, known = self.informed(last, tuple(parts[: self.n_informed]))
        without, blind = self.blind(last, tuple(parts[self.n_informed :]))
        weights = self.weight * (written[0] < self.n_symbols).to(log_p.dtype)
        scores = log_p - weights * without.masked_fill(log_p.isneginf(), 0.0)
        return scores, (*known, *blind, written + 1)

    def of(self, rows: Tensor) -> Step:
        """The same for some of the rows."""
        informed, blind = self.informed.of(rows), self.blind.of(rows)
        return MutualInformation(informed, blind, self.n_informed, self.weight, self.n_symbols)


def mutual_information(
    informed: tuple[Step, State],
    blind: tuple[Step, State],
    written: Tensor,
    *,
    weight: float,
    n_symbols: int,
) -> tuple[Step, State]:
    """The joint decoder of two decoders with their first states, and its first state.

    `written` are zeros, `[1, rows, 1]`: the symbols that every row has at first.
    """
    (step, state), (other, other_state) = informed, blind
    joint = MutualInformation(step, other, len(state), weight, n_symbols)
    return joint, (*state, *other_state, written)
