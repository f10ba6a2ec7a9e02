"""How a call is made, from the resource's request to the response's types."""
