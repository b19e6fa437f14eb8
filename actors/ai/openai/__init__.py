"""Does the AI step with a model, on any server with the interface of OpenAI's chat completions and embeddings."""
