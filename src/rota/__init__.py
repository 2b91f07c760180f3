"""rota: cron for agents."""
