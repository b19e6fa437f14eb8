"""Better offline embeddings by wordllama, if the extra ``local`` is installed."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from zeke_jobs.core.environment import missing

DIMENSIONS = 1536


def load() -> tuple[Callable[[str], list[float]], str]:
    """A function from text to 1536 numbers (256 from wordllama, then zeros), and the model's name, or ConfigurationError."""
    try:
        import wordllama
    except ModuleNotFoundError as error:
        expected = "the package wordllama because services.ai has embeddings: wordllama"
        raise missing(expected, "zeke-news[local]", error=error, instead="set embeddings: hashed") from error
    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)

    def embed(text: str) -> list[float]:
        vector = [float(value) for value in model.embed([text or " "], norm=True)[0]]
        return vector + [0.0] * (DIMENSIONS - len(vector))

    return embed, f"wordllama-{version('wordllama')}@256"
