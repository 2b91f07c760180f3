"""The channels that rota brings along, a line each, and those of other packages."""

from __future__ import annotations

from collections.abc import Mapping

from rota.channels.apprise import Apprise
from rota.channels.command import Command
from rota.channels.desktop import Desktop
from rota.channels.email import Email
from rota.channels.slack import Slack
from rota.channels.telegram import Telegram
from rota.channels.webhook import Webhook
from rota.ports.plugins import load_plugins
from rota.ports.steps import ChannelKind

ENTRY_POINTS = "rota.channels"

CHANNELS: Mapping[str, ChannelKind] = {
    Desktop.key: Desktop(),
    Slack.key: Slack(),
    Telegram.key: Telegram(),
    Email.key: Email(),
    Webhook.key: Webhook(),
    Command.key: Command(),
    Apprise.key: Apprise(),
}


def load_entry_points() -> tuple[dict[str, ChannelKind], list[str]]:
    """The channels of other packages (entry points `rota.channels`: a ChannelKind or its class), by key.

    The second value says, a line each, which could not be used and why; nothing is raised for them.
    """
    return load_plugins(ENTRY_POINTS, CHANNELS, ("key", "params", "target"))
