"""The clearing record (what was done, for whom, and how it is known) and the back-up archive."""
