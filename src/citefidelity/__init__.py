"""Judge citations with a language model: nothing lost, nothing paid twice, nothing made up."""
