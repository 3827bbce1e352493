"""Transformations of systems, from what was derived to what back ends run."""
