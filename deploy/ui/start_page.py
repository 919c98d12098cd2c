"""MLflow with one more page, /start, whose address `make ui` prints, and with the score before all other metrics.

MLflow shows every new browser its pages for language models, with an assistant at the side and a tour. A browser
remembers what its user has chosen; /start chooses the pages for trained models, and goes on to the list of experiments.
MLflow's page that compares runs opens with a plot of the metric that was logged first, which is the loss. It gets the
score first.

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
    "_mlflow_model_registry_promo_modal_dismissed_v1": True,
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


FIRST = ("score", "best_score", "baseline_score", "skill", "best_skill")


def score_first(body: bytes) -> bytes:
    """Return MLflow's answer to a search for runs with the metrics of each run in another order."""
    found = json.loads(body)
    for run in found.get("runs", ()):
        metrics = run["data"].get("metrics", [])
        metrics.sort(key=lambda metric: FIRST.index(metric["key"]) if metric["key"] in FIRST else len(FIRST))
    return json.dumps(found).encode()


class _ScoreFirst:
    """Sends an answer once it is whole, with its runs' metrics in another order."""

    def __init__(self, send: Any) -> None:
        self.send = send
        self.start: dict[str, Any] = {}
        self.body = b""

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        self.body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = score_first(self.body) if self.start["status"] == 200 else self.body
        headers = [(name, value) for name, value in self.start["headers"] if name.lower() != b"content-length"]
        length = (b"content-length", str(len(body)).encode())
        await self.send({**self.start, "headers": [*headers, length]})
        await self.send({"type": "http.response.body", "body": body})


class _WithStart:
    """An ASGI application; as a function MLflow would take it for a factory of one."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request: /start here, every other one by MLflow."""
        path = scope["path"] if scope["type"] == "http" else ""
        if path == "/start":
            await HTMLResponse(PAGE)(scope, receive, send)
        else:
            await mlflow(scope, receive, _ScoreFirst(send) if path.endswith("/mlflow/runs/search") else send)


app = _WithStart()
