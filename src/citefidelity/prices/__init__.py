"""What a provider charges, as far as anybody knows."""
