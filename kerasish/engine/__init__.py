"""The mechanism: Specs, tensors, op declarations, the gradient tape and the symbolic graph.  It never imports `ops`."""
