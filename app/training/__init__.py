"""Making the models that ship: the reader and the retriever. Needs the extra `train`."""
