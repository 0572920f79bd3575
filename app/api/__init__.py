"""The HTTP API, and the doors that every request to the server passes, the chat page's too."""
