"""Scripts that run in the peers' own environments, by their paths. They import nothing of ours."""
