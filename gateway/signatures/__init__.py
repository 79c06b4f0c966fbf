"""The only door to cryptography: keys, digests, both HTTP signature schemes, object proofs.

Sources: RFC 9421, RFC 9530, draft-cavage-http-signatures-12, FEP-521a, FEP-8b32, FEP-fe34.
"""
