"""The bridge as a service: a site's file, the running parts, the status page, the systems it is installed in."""
