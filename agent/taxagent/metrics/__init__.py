"""What a monitoring system may know of the agent, in Prometheus' terms. Reads pictures; touches no device."""
