"""What a model can call, one file per family."""
