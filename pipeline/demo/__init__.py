"""A web page that asks the stored models: docs/demo.md."""
