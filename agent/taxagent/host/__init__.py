"""What is particular to the host: its clock, the single-instance lock."""
