"""Labels on chargers: read from photos and readers, matched to the site, and drawn for people."""
