"""The page: complete in itself, safe with any text, and the same bytes every time."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from robust_tickets.foundation.errors import UserError
from robust_tickets.report.html import to_html, write_report
from robust_tickets.report.summary import Summary
from tests.report.examples import brief, decided, row, study

HOSTILE = '</p><script src="https://example.org/x.js"></script><img src=x onerror=alert(1)>&'
VOID = {"meta", "link", "br", "img"}


class Page(HTMLParser):
    """Every tag with its attributes, and whether they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text() -> str:
    return to_html(study())


def test_tags_nest(text: str) -> None:
    assert Page(text).open == []


def test_nothing_is_fetched_or_run(text: str) -> None:
    for tag, attributes in Page(text).tags:
        assert tag not in {"script", "img", "iframe", "object", "embed", "base", "form"}
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:"))
    assert "@import" not in text
    assert set(re.findall(r"url\(([^)]{4})", text)) <= {"#cur", "#lay"}


def test_identifiers_are_unique_and_every_reference_resolves(text: str) -> None:
    page = Page(text)
    counts = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert max(counts.values()) == 1
    references = set(re.findall(r'(?:url\(|href=")#([^)"]+)', text))
    assert references
    assert references <= set(counts)


def test_figures_follow_the_page_into_dark_mode(text: str) -> None:
    body = text[text.index("<body>") :]
    assert not re.search(r"(?:fill|stroke): ?(?:#000000|#ffffff|black|white)\b", body)
    assert "currentColor" in body
    assert "prefers-color-scheme: dark" in text


def test_the_verdict_comes_first(text: str) -> None:
    order = [
        "The robust ticket at 50",
        "Accuracy against sparsity",
        "Does the ticket match dense?",
        "Run it again",
    ]
    places = [text.index(part, text.index("<body>")) for part in order]
    assert places == sorted(places)


def test_a_screen_reader_hears_the_curve(text: str) -> None:
    labels = [attributes.get("aria-label") or "" for tag, attributes in Page(text).tags if tag == "svg"]
    assert len(labels) == 5
    assert re.search(r"Robust accuracy against sparsity, full transfer.* robust, 90 % sparsity: \d\d\.\d %", labels[3])
    assert labels[4].startswith("Sparsity of 17 layers, from 32 % in conv1.weight")


def test_wide_tables_scroll_in_their_own_container(text: str) -> None:
    assert text.count("<table>") == text.count('class="scroll"') == 4
    assert "width=device-width" in text


def test_hostile_text_is_shown_and_never_obeyed() -> None:
    summary = Summary(
        title=HOSTILE,
        facts=[(HOSTILE, HOSTILE)],
        rows=[row(series=HOSTILE, target=HOSTILE, fraction=HOSTILE, group=HOSTILE)],
        verdicts=[decided(HOSTILE, "full", 0.9, 0.0, target=HOSTILE)],
        layer_sparsity={HOSTILE: 0.5},
        notes=[HOSTILE],
        command=HOSTILE,
    )
    page = Page(to_html(summary))
    assert page.open == []
    assert not {"script", "img"} & {tag for tag, _ in page.tags}


def test_dollar_signs_are_not_read_as_formulas() -> None:
    page = to_html(Summary(title="t", rows=[row(series="$x_1$ and $", target="a_$b")]))
    assert "$x_1$ and $" in page


def test_equal_summaries_give_equal_reports(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        assert write_report(brief(study()), tmp_path / folder) == tmp_path / folder / "report.html"
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert [str(path) for path in files] == [
        "figures/curves.png",
        "figures/curves.svg",
        "figures/layers.png",
        "figures/layers.svg",
        "report.html",
        "report.md",
    ]
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def test_a_shrink_only_run_has_a_page_without_curves(tmp_path: Path) -> None:
    page = write_report(Summary(title="t", shrink=study().shrink), tmp_path).read_text()
    assert "channels removed has 2.32 times the speed of dense" in page
    assert "<svg" not in page
    assert not (tmp_path / "figures").exists()


def test_nothing_to_report_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to report"):
        write_report(Summary(title="t"), tmp_path)
    assert list(tmp_path.iterdir()) == []
