"""The command line: one file a noun, one output contract."""
