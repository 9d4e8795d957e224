"""What was measured or looked into, told as sections of a report.

| file | about |
|---|---|
| `measures.py` | measures beside accuracy; an exported file beside its network |
| `tickets.py` | layers of tickets, and their overlap |
| `transfers.py` | loss landscapes, and what lies between two transfers of one ticket |
"""
