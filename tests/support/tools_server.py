"""A small MCP server, as the text of a program that speaks by stdin and stdout."""

SERVER = '''
import os

from mcp.server import MCPServer

server = MCPServer("hall")


@server.tool()
def greet(name: str) -> str:
    """Greet somebody."""
    return f"{os.environ['GREETING']} {name} of {os.environ['ROTA_RUN_ID']}"


@server.tool()
def fail() -> str:
    """Fail."""
    raise RuntimeError("it is broken")


server.run("stdio")
'''
