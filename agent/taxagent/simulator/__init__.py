"""The product's simulators: a tax-control device on real USB semantics, and a bureau over HTTPS."""
