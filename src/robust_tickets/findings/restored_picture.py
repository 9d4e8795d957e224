"""One restored picture: what it was, and what it is."""

from robust_tickets.report.galleries import encoded
from robust_tickets.report.sections import Gallery, Picture, Section
from robust_tickets.report.summary import Summary
from robust_tickets.verbs.restore import Restored, enlarged


def restored_summary(found: Restored, name: str, command: str) -> Summary:
    """Return the report on a picture that was restored, or as much of it as is done.

    Args:
        found: the picture.
        name: what readers call it.
        command: what repeats the work.
    """
    settings, is_done = found.settings, found.done == found.tiles
    shown = [("as it was given", enlarged(found.seen, settings.factor)), ("restored", found.picture)]
    if found.reference is not None:
        shown.append(("as it should be", found.reference))
    text = f"{found.done} of {found.tiles} tile{'s' * (found.tiles > 1)} done" if not is_done else "Done"
    if found.psnr is not None:
        text += f"; PSNR to the reference is {found.psnr:.2f} dB"
    kept = f"{found.parameters:,}, {100 * settings.kept:.3g} % of all"
    height, width = found.picture.shape[1:]
    return Summary(
        title=f"Restoration of {name}",
        facts=[
            ("picture", f"{width} x {height} pixels"),
            ("generator", settings.network),
            ("parameters", kept),
            ("noise", f"{settings.noise:g}" if settings.noise is not None else "not stated"),
        ],
        sections=[
            Section(
                title=f"{name}, restored" if is_done else f"{name}, so far",
                text=f"{text}. A generator that has learned nothing else has learned this picture.",
                galleries=(
                    Gallery(
                        title=name,
                        pictures=tuple(Picture(name=one, png=encoded(picture.numpy())) for one, picture in shown),
                    ),
                ),
            )
        ],
        command=command,
    )
