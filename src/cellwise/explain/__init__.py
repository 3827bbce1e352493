"""What a model does, made visible."""
