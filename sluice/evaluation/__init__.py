"""From models to a verdict: generation, scores, statistics, gate, report."""
