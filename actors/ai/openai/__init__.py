"""Analyses and embeds stories with models, on any server with the interface of OpenAI or Anthropic."""
