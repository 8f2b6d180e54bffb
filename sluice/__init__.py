"""Sluice: retrain a language model on fresh data, prove it better, approve it, serve it."""

__version__ = "0.1.0"
