"""noai-gateway: a federation gateway that carries AI usage preferences on everything it publishes."""

__version__ = "0.1.0"
