"""The cases for OCPP 1.6: one subject per file. A file that lies here is found by itself."""
