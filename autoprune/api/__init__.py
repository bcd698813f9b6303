"""The HTTP service: routes over built objects; it constructs none and measures nothing."""
