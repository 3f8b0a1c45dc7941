"""The outcomes of one screening, made ready to be filtered, searched, sorted and paged while a run goes on."""
