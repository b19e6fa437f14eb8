"""The AI step by any server that speaks OpenAI's chat completions and embeddings."""
