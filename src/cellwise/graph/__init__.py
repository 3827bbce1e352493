"""Typed expression graphs: one interned node, a table of operations, systems of equations."""
