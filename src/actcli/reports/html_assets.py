"""The style and the script of the HTML page."""

from __future__ import annotations

__all__ = ["CONTENT_SECURITY_POLICY", "SCRIPT", "STYLE"]

# The page is complete: the browser must not fetch anything.
CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1d2129; --quiet: #5c6470; --faint: #d9dde3; --panel: #f5f7f9;
  --bar-1: #0072b2; --bar-2: #e69f00; --shade: 0, 114, 178; --wrong: 213, 94, 0 }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --ink: #e6e9ee; --quiet: #9aa4b1; --faint: #343b46;
  --panel: #1d222a; --bar-1: #3d9bd6; --bar-2: #e0a530; --shade: 61, 155, 214; --wrong: 236, 124, 48 } }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1060px;
  margin: 0 auto; padding: 24px 20px 60px }
h1 { font-size: 1.5rem; margin: 0 } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem }
p { margin: .3rem 0 } .quiet, figcaption { color: var(--quiet); font-size: .87rem }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 18px 0 }
.tile { background: var(--panel); border: 1px solid var(--faint); border-radius: 6px; padding: 10px 12px;
  overflow-wrap: anywhere }
.tile b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums } .tile span { color: var(--quiet);
  font-size: .82rem }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(360px, 1fr)); gap: 20px }
figure { margin: 0 } svg { width: 100%; height: auto; display: block } svg text { font-size: 11px; fill: var(--quiet) }
.bar-1 { fill: var(--bar-1) } .bar-2 { fill: var(--bar-2) } .grid { stroke: var(--faint) }
.axis { stroke: var(--quiet); fill: none } .mark { stroke: var(--ink); stroke-width: 2 }
.reference { stroke: var(--quiet); stroke-dasharray: 3 3 }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .3em 0 .8em }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: 4px 10px; border-bottom: 1px solid var(--faint); text-align: right; white-space: nowrap }
th:first-child, td:first-child, .text { text-align: left }
thead th { border-bottom: 2px solid var(--quiet) }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer }
th[aria-sort=ascending] button::after { content: " \\25b2" }
th[aria-sort=descending] button::after { content: " \\25bc" }
.matrix td { text-align: center; border: 1px solid var(--faint); min-width: 2.6em }
code { font-family: ui-monospace, monospace; font-size: .87rem; background: var(--panel); padding: 8px 10px;
  border: 1px solid var(--faint); border-radius: 6px; display: block; overflow-x: auto; white-space: pre-wrap }
@media print { :root { --paper: #fff; --ink: #000; --quiet: #444; --faint: #ccc; --panel: #fff }
  body { max-width: none; padding: 0; font-size: 11px } figure, .tile, tr { break-inside: avoid }
  .bar-1, .bar-2, .matrix td { print-color-adjust: exact; -webkit-print-color-adjust: exact } }
"""

SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const body = table.tBodies[0];
      const sorted = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return down ? -order : order;
      });
      table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...sorted);
    });
  });
}
"""
