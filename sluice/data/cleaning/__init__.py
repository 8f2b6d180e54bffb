"""Cleaning: repairs that change a text, and rules that drop a row with a stable reason code."""
