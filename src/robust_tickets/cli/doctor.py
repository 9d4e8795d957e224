"""`tickets doctor`: what this machine offers."""


def doctor() -> None:
    """Show what this machine offers."""
    from robust_tickets.doctor import examine

    for name, value in examine():
        print(f"{name:<14} {value}")
