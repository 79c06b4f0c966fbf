"""The only way out: address policy before connecting, bounded requests, soft memory."""
