"""From rows to a trained adapter: base models, the trainer's own process, checkpoints."""
