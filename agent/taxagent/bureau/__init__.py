"""The gateway client: ports.Bureau over HTTPS. `client` is the door; importing it loads no HTTP library."""
