"""What a charger may need from its backend beyond the bare protocol: cards, files, certificates, limits, messages."""
