"""ActivityPub without input or output: documents in and out, and what an activity does."""
