"""How the chat page looks: markup, style, and the little script. Not what it does: `app.chat`."""
