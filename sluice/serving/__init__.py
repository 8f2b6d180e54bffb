"""From an approved version to answers: the gateway, its engine, its pointer."""
