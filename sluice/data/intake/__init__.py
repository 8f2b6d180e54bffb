"""From what a user has to batches in the lake: what is new, read once, and never twice."""
