"""The tests take the tasks' handlers, with the models of payloads and settings, from the shipped jobs.yaml."""

from pathlib import Path

import yaml

from zeke_jobs.config.handlers import Handler, resolve_path

ROOT = Path(__file__).parents[2]
_SHIPPED = yaml.safe_load((ROOT / "jobs.yaml").read_text(encoding="utf-8"))["tasks"]
TASKS: dict[str, Handler] = {
    name: resolve_path(task["handler"], in_chunks="chunk" in task) for name, task in _SHIPPED.items()
}
#: The tasks that bring articles in.
FIRST_HALF = [name for name in TASKS if name.startswith(("ingest-", "fetch-"))]
#: The tasks of one story that are no chunks.
OF_A_STORY = [
    name for name, task in TASKS.items() if "story_id" in task.payload_model.model_fields and not task.takes_chunk
]
