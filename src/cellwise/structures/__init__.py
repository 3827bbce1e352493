"""Batches of sequences as schedules of rows, and the fold of a cell over them."""
