"""What `taxagent doctor` looks at. A probe returns findings, knows nothing of the others, and never fails."""
