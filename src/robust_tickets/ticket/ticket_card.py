"""The model card that travels with a ticket, in the Hugging Face layout."""

from collections.abc import Mapping, Sequence

from robust_tickets.ticket.ticket_file import TicketFile


def told_emptied(names: Sequence[str]) -> str:
    """Return a sentence that names the empty layers, with a space before it; nothing if there are none."""
    if not names:
        return ""
    layers = "1 layer is empty" if len(names) == 1 else f"{len(names)} layers are empty"
    return f" {layers}, all weights removed: {', '.join(names)}."


def told_prunable(prunable: Sequence[str], left_out: Mapping[str, str]) -> tuple[str, ...]:
    """Return a line on how many weights were prunable, and one on what was left dense and why."""
    weights = f"prunable: the weights of {len(prunable)} layers, {prunable[0]} to {prunable[-1]}"
    dense = ", ".join(f"{name} ({reason})" for name, reason in left_out.items())
    return (weights, f"left dense: {dense}") if dense else (weights,)


def ticket_card(file: TicketFile, layer_sparsity: Mapping[str, float]) -> str:
    """Return the card's Markdown."""
    rows = "\n".join(f"| `{name}` | {100 * value:.2f} % |" for name, value in layer_sparsity.items())
    empty = [name for name, value in layer_sparsity.items() if value == 1]
    start = "the source's own weights" if file.init == "source" else "weights stored with the masks"
    fresh = " Batch-norm statistics were recomputed under the masks." if file.recalibrated else ""
    said = f"The surviving weights start from {start}.{fresh}{told_emptied(empty)}"
    about = (*file.source.description, *told_prunable(file.prunable, file.left_out))
    assumed = "\n".join(f"- {line}" for line in about)
    return f"""---
library_name: robust-tickets
tags: [lottery-ticket, pruning, sparsity]
---

# A ticket of {file.source.name}

{100 * file.sparsity:.2f} % of the prunable weights are removed. {said}

| | |
|---|---|
| source | `{file.source.name}` |
| source hash | `{file.source.digest}` |
| ticket digest | `{file.digest}` |

```python
import robust_tickets as rt

ticket = rt.Ticket.load("this folder")
network = ticket.subnetwork()
```

## What was assumed or found

{assumed}

A mask alone makes nothing faster: `tickets shrink` removes channels and measures the gain of the exported network.

## Sparsity by layer

| weight | removed |
|---|---|
{rows}
"""
