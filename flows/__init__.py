"""Order and decisions: each flow reads like a table of contents."""
