"""Media: files by content hash, types by their bytes, limits."""
