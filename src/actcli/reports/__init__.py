"""Results as people read them: tables, charts, and the HTML page."""
