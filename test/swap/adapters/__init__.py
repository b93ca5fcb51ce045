"""One file for each implementation; README.md says what an adapter has."""
