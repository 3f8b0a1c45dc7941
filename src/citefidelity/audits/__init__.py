"""Looking at a screening from outside, and setting failures aside."""
