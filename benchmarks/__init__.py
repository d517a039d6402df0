"""Side-by-side measurements: ocgate and its peers in one run, as ratios (`make bench`)."""
