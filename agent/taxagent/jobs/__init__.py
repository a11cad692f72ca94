"""The desk: what is accepted, what runs on which device, what waits. Knows the procedures, no socket."""
