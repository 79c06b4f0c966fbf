"""Durable jobs: the pure retry schedule and the worker that works off the table."""
