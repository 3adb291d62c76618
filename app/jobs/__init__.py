"""The guided job: a pure machine, its runner and its steps."""
