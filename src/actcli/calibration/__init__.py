"""Calibration methods, thresholds and conformal rules, as numbers: NumPy only."""
