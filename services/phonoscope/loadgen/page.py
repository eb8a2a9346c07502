"""A run as one HTML page with its plots inside, which needs nothing else: `phonoscope bench --html FILE`."""

import html
import json
from typing import Final

import phonoscope
from phonoscope.loadgen.events import Summary
from phonoscope.loadgen.plots import distributions, latency_against_load, latency_over_time
from phonoscope.loadgen.report import plan_document, table_of

PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff; max-width: 64rem; margin: 2rem auto;
         padding: 0 1rem; }}
  pre {{ overflow-x: auto; background: #f6f8fa; padding: 1rem; border-radius: 6px; line-height: 1.35; }}
  figure {{ margin: 2rem 0; }}
  figcaption {{ color: #57606a; }}
  svg {{ width: 100%; height: auto; }}
</style>
<h1>{title}</h1>
<pre>{table}</pre>
{figures}
<details><summary>Settings</summary><pre>{plan}</pre></details>
<p>Made by phonoscope {version}. All times count from when a call was due.</p>
</html>
"""
FIGURE: Final = '<figure role="img" aria-label="{name}">\n{svg}<figcaption>{name}. {text}</figcaption></figure>'


def page_of(summary: Summary, address: str) -> str:
    """Returns the page; what came from outside, such as the address and the names of errors, is escaped."""
    figures = (
        (
            "First audio over time",
            latency_over_time(summary.samples),
            "Each dot is a call; the lines are p50 and p95 of a fortieth of the run.",
        ),
        (
            "First audio against load",
            latency_against_load(summary.samples),
            "Calls in flight when a call was due; the lines are p50 and p95 where five calls or more saw that load.",
        ),
        (
            "Distribution",
            distributions(summary.samples),
            "Share of the calls that had their first audio, and their end, within that time.",
        ),
    )
    return PAGE.format(
        title=html.escape(f"Load on {address}"),
        table=html.escape(table_of(summary, address)),
        figures="\n".join(FIGURE.format(name=name, svg=svg, text=text) for name, svg, text in figures),
        plan=html.escape(json.dumps(plan_document(summary.plan), indent=2)),
        version=html.escape(phonoscope.__version__),
    )
