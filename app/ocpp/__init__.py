"""Our OCPP central system."""
