"""One file per source, and the finder that merges sightings into units."""
