"""The resources of the API, one class and one module each."""
