"""The only place that opens sockets and ports for drivers. Every link can be recorded and replayed."""
