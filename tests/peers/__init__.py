"""Small servers to test against: they speak the protocol, and misbehave on request."""
