"""Evidence in, named findings out. Pure; the texts live in ``resources/failures``."""
