"""The recipes that train the mini bundle from nothing, on rendered people: `python -m falco_rendered.train`."""
