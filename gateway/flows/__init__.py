"""The verbs: each file shows one path through the pure rooms, the store and the way out."""
