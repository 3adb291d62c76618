"""Cases for OCPP 2.0.1, which 2.1 shares: one file per subject."""
