"""Metrics as numbers: definitions, row statistics, sums over rows, rankings and curves. NumPy only."""
