"""Posthaste: one HTTP call, one message, delivered once."""

__version__ = "0.1.0"
