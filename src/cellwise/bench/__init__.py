"""Benchmarks: our layers and their peers, measured side by side in one run."""
