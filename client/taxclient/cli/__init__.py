"""taxctl: the protocol at a terminal. Imports little, since `taxctl status` is asked often."""
