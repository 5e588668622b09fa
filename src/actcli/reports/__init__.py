"""Results as a person reads them: Rich renderables. Nothing is computed here."""
