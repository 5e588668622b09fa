"""From scores to predictions: rules, the plan, scoring, validation, output columns and the policy."""
