"""The pages in a browser: watch a run, read what came of it. Reads only. Needs the extra ``web``."""
