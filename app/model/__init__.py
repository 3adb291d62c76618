"""Values only: frozen dataclasses, no I/O, no clock, no asyncio."""
