"""From a configuration to a run folder: settings, the loop, checkpoints, loading a run again."""
