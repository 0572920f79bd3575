"""Turn transcripts into something searchable. Knows nothing of answers."""

__version__ = "0.1.0"
