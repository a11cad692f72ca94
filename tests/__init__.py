"""Tests. Folders mirror the packages; builders/ has the shared builders, vectors/ the data."""
