"""What was looked into, as sections of a report: tickets, and their transfers."""

from robust_tickets.findings.angles import angles_section
from robust_tickets.findings.stability import stability_section
from robust_tickets.findings.succession import succession_section
from robust_tickets.findings.tickets import layers_section, overlap_section
from robust_tickets.findings.transfers import interpolation_section, landscape_section
from robust_tickets.report.sections import Section
from robust_tickets.verbs.analyse import Analysis


def analysis_sections(found: Analysis) -> list[Section]:
    """Return a section for each thing that was looked into."""
    settings = found.settings

    def most(count: int) -> str:
        return f"at most {count} {settings.part} {found.noun}, balanced over classes"

    images = most(settings.images)
    sections = [layers_section(found.layers)] if found.layers else []
    sections += map(overlap_section, found.overlaps)
    if found.landscapes:
        sections.append(landscape_section(found.landscapes, images))
    if found.between and settings.interpolation is not None:
        sections.append(interpolation_section(found.between, images, settings.interpolation.bn))
    sections += map(angles_section, found.angles)
    if found.stability is not None:
        sections.append(stability_section(found.stability, most(found.stability.settings.images)))
    if found.succession is not None:
        sections.append(succession_section(found.succession, most(found.succession.settings.images)))
    return sections
