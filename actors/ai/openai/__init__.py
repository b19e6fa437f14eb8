"""Does the AI step with a model on any server that has OpenAI's chat completions and embeddings."""
