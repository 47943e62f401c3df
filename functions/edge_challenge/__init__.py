"""The edge function that gives clients back the challenge header."""
