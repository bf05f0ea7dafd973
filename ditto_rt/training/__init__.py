"""Training: the corpus, and what fits the built-in models to it."""
