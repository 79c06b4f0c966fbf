"""Feeds: published posts as bytes that are a function of their content. Pure."""
