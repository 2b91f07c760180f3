"""The door for agents: rota's tools by the Model Context Protocol, over stdio and HTTP. It calls app, and has no logic."""
