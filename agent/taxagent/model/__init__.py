"""What is true: values and rules of the field. Knows no I/O, no clock, no thread."""
