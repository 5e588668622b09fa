"""Fits over labelled rows: calibration, thresholds and prediction sets as steps of a policy."""
