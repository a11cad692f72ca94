"""TCA/1 on the wire: frames, messages, errors. Shared by client and agent; knows no socket and no clock."""
