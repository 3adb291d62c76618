"""The guided job."""
