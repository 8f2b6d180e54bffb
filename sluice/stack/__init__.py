"""The local stack: the servers that `sluice up` starts on loopback and `sluice down` stops."""
