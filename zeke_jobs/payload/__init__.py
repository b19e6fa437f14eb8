"""Payloads: their models, JSON Schemas, and the checks at a send."""
