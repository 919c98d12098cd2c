"""The rows of params.yaml as strict, frozen types: what can be turned, and what each value may be."""
