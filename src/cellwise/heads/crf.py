"""The CRF head: a distribution over sequences of labels, in which neighbours depend on each other.

Sources: Lafferty, McCallum and Pereira 2001, "Conditional random fields"; the scores are those of
Lample et al. 2016 (arXiv:1603.01360), section 2.2, with transitions from a start and to an end.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FORBIDDEN = -1e4
"""The score of a forbidden transition: its exponential is zero in every dtype. It is finite, so
that a sentence to which no well-formed labels can be given still has labels, and no NaN."""


class CRF(nn.Module):
    """A linear-chain conditional random field over labels.

    The score of labels y is

        start[y_1] + Σ_t scores[t, y_t] + Σ_t transitions[y_t-1, y_t] + end[y_T],

    and their probability exp(score) / Z, where Z sums over all sequences of labels. Sums are formed
    of logarithms. Scores at padding are never read. A sequence without steps has probability 1.

    Args:
        n_labels: L.
        allowed: bool `[L + 1, L + 1]`, which label may come after which; the last row says which
            may be the first, the last column which may be the last one. Forbidden transitions have
            probability 0 and are not decoded, unless there is no sequence without one.

    Example:
        >>> import torch
        >>> crf = CRF(2)
        >>> with torch.no_grad():
        ...     _ = crf.transitions.copy_(torch.tensor([[0.0, 3.0], [0.0, 0.0]]))
        >>> scores, lengths = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]]), torch.tensor([2])
        >>> crf.decode(scores, lengths)
        [[0, 1]]
        >>> crf.marginals(scores, lengths).shape
        torch.Size([2, 1, 2])
    """

    def __init__(self, n_labels: int, *, allowed: Tensor | None = None):
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(n_labels, n_labels))
        self.start = nn.Parameter(torch.zeros(n_labels))
        self.end = nn.Parameter(torch.zeros(n_labels))
        if allowed is None:
            allowed = torch.ones(n_labels + 1, n_labels + 1, dtype=torch.bool)
        self.penalties: Tensor
        penalties = torch.zeros(allowed.shape).masked_fill(~allowed, FORBIDDEN)
        self.register_buffer("penalties", penalties, persistent=False)

    def negative_log_likelihood(self, scores: Tensor, labels: Tensor, lengths: Tensor) -> Tensor:
        """The summed -log p of labels, in nats, a scalar.

        Where a label is not known, the probabilities of all labels there are added up.

        Args:
            scores: `[T, B, L]`.
            labels: int64 `[T, B]`; below 0: not known. Those at padding are not read.
            lengths: int64 `[B]`.
        """
        scores, real = self._clean(scores, lengths)
        if bool(((labels < 0) & real).any()):
            numbers = torch.arange(scores.shape[-1], device=scores.device)
            other = (labels[..., None] >= 0) & (numbers != labels[..., None]) & real[..., None]
            right = self._log_sum(scores.masked_fill(other, -torch.inf), real)
        else:
            right = self._score(scores, labels.clamp(min=0), real)
        return (self._log_sum(scores, real) - right).sum()

    def log_partition(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """log Z of each sequence: `[T, B, L]` and int64 `[B]` to `[B]`."""
        return self._log_sum(*self._clean(scores, lengths))

    def marginals(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """The probability of each label at each step, `[T, B, L]`; zeros at padding.

        They are the derivatives of log Z by the scores.
        """
        with torch.enable_grad():
            leaf = scores.detach().requires_grad_()
            total = self.log_partition(leaf, lengths).sum()
            return torch.autograd.grad(total, leaf)[0]

    @torch.no_grad()
    def decode(self, scores: Tensor, lengths: Tensor) -> list[list[int]]:
        """The most probable labels of each sequence (Viterbi): `[T, B, L]`, int64 `[B]`."""
        n_steps, n_rows, n_labels = scores.shape
        if not n_steps:
            return [[] for _ in range(n_rows)]
        scores, real = self._clean(scores, lengths)
        start, into, end = self._weights()
        best = start + scores[0]
        same = torch.arange(n_labels, device=scores.device).expand(n_rows, n_labels)
        pointers: list[Tensor] = []
        for here, alive in zip(scores[1:], real[1:, :, None], strict=True):
            value, before = (best[:, None, :] + into).max(dim=-1)
            best = torch.where(alive, value + here, best)
            pointers.append(torch.where(alive, before, same))
        path = [(best + end).argmax(dim=-1, keepdim=True)]
        for pointer in reversed(pointers):
            path.append(pointer.gather(1, path[-1]))
        rows = torch.cat(path[::-1], dim=1).tolist()
        return [row[:n] for row, n in zip(rows, lengths.tolist(), strict=True)]

    def _clean(self, scores: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The scores, zeros at padding, and where they are real, `[T, B]`."""
        steps = torch.arange(len(scores), device=scores.device)
        real = steps[:, None] < lengths.to(scores.device)
        return scores.to(self.start.dtype).masked_fill(~real[..., None], 0.0), real

    def _weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """The scores of starting with a label, `[L]`; of `[after, before]`; of ending, `[L]`."""
        penalties = self.penalties.to(self.start.dtype)
        start, end = self.start + penalties[-1, :-1], self.end + penalties[:-1, -1]
        return start, (self.transitions + penalties[:-1, :-1]).T.contiguous(), end

    def _log_sum(self, scores: Tensor, real: Tensor) -> Tensor:
        """The logarithm of the sum over all sequences of labels, `[B]` (the forward algorithm)."""
        if not len(scores):
            return scores.sum((0, 2))
        start, into, end = self._weights()
        steps = scores.unbind()
        sums = start + steps[0]
        for here, alive in zip(steps[1:], real[1:, :, None], strict=True):
            after = torch.logsumexp(sums[:, None, :] + into, dim=-1) + here
            sums = torch.where(alive, after, sums)
        return torch.logsumexp(sums + end, dim=-1).masked_fill(~real[0], 0.0)

    def _score(self, scores: Tensor, labels: Tensor, real: Tensor) -> Tensor:
        """The score of labels that are all known, `[B]`."""
        if not len(scores):
            return scores.sum((0, 2))
        start, into, end = self._weights()
        labels = labels.masked_fill(~real, 0)
        own = scores.gather(-1, labels[..., None]).squeeze(-1).sum(0)
        moves = (into[labels[1:], labels[:-1]] * real[1:]).sum(0)
        last = labels.gather(0, (real.sum(0) - 1).clamp(min=0)[None])[0]
        return (own + moves + start[labels[0]] + end[last]).masked_fill(~real[0], 0.0)
