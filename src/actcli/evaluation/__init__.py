"""How good predictions are: class labels, the truth, and the evaluator."""
