"""Prefect's policy around one function each: retries, timeouts, artifacts. What a step does is in
`sluice`; in which order they run is in `flows`."""
