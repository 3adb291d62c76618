"""The bridge: charge points towards a backend, made of units that can't speak to it themselves."""
