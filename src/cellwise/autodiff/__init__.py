"""Derivatives of systems: one rule per operation, and thin drivers for both directions."""
