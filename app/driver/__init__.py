"""What a driver is: sessions, capabilities, registry."""
