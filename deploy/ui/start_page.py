"""MLflow with one more page, /start: `make ui` prints its address.

MLflow shows every new browser its pages for language models, with an assistant at the side and a tour. A browser
remembers what its user has chosen; /start chooses the pages for trained models, and goes on to the list of experiments.
start_page-1.dist-info makes this module known to `mlflow ui --app-name start_page`.
"""

import json
from typing import Any

from fastapi.responses import HTMLResponse
from mlflow.server.fastapi_app import app as mlflow

# What MLflow's pages keep in the browser, in JSON.
CHOICES = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
    "mlflow.detectIssues.guidanceShown_v1": True,
}
PAGE = f"""<!doctype html>
<meta charset="utf-8">
<title>MLflow</title>
<script>
for (const [key, choice] of Object.entries({json.dumps(CHOICES)}))
  if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(choice));
location.replace("/#/experiments");
</script>
"""


class _WithStart:
    """An ASGI application; as a function MLflow would take it for a factory of one."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request: /start here, every other one by MLflow."""
        ours = scope["type"] == "http" and scope["path"] == "/start"
        await (HTMLResponse(PAGE) if ours else mlflow)(scope, receive, send)


app = _WithStart()
