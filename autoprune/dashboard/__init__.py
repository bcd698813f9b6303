"""The web page at `/` of the service: static files that ask the API; nothing is rendered here."""
