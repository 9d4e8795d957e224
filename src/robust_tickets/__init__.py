"""Draw, transfer, verify and shrink lottery tickets of pretrained networks."""
