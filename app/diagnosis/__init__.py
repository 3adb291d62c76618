"""Evidence in, named findings out. Pure."""
