"""Readers of data files, vocabularies, and batches of like length."""
