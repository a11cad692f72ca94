"""Thin client of the tax-control device agent: the protocol TCA/1 and drivers of it."""

__version__ = "0.1.0"
