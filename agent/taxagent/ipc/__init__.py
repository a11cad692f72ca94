"""The agent's door: TCA/1 over ZeroMQ. Knows the desk and the journal's reader, no device and no bureau."""
