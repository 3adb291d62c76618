"""The guided job on screen."""
