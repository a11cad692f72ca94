"""The tax-control device agent: one process that owns the devices and does the month's work."""

__version__ = "0.1.0"
