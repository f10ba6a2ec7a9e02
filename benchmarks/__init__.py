"""Benchmarks: one script a question, each against its peers in the same run."""
