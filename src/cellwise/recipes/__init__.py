"""Ready configurations (`*.toml`) that `cellwise train NAME` finds by name."""
