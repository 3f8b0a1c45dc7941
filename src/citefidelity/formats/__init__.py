"""Citations in files: JSON Lines, CSV and Parquet, read as a stream and written whole or not at all."""
