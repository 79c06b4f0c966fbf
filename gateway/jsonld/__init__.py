"""The only door to pyld: strict JSON, pinned contexts, bounded expansion, preference terms on nodes."""
