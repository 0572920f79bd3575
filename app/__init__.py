"""Answer questions from an index with the exact words, and show the answer."""
