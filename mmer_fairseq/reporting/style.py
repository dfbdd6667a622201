"""How the page looks: light and dark, wide and narrow, on paper."""

CSS = """
:root { --ink: #1c1e21; --soft: #5b6168; --line: #d9dde2; --paper: #fff; --card: #f5f7f9; --mark: #0b5c94;
        --warn: #8a3b00; --warnbg: #fff2e2; --good: #e4f2ea; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ea; --soft: #a2a9b1; --line: #3a4048; --paper: #15181c; --card: #1e2328; --mark: #7cc0f0;
          --warn: #ffb877; --warnbg: #33240f; --good: #16301f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
       font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .4rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p { margin: .4rem 0 .8rem; max-width: 46rem; }
.soft, caption, .small { color: var(--soft); }
.small { font-size: .82rem; white-space: nowrap; }
.short { background: var(--card); border-left: 4px solid var(--mark); padding: .7rem 1rem; margin: 1rem 0; }
.short p:last-child, .warning p:last-child { margin-bottom: 0; }
.warning { background: var(--warnbg); border-left: 4px solid var(--warn); padding: .7rem 1rem; margin: 1rem 0; }
.warning b { color: var(--warn); }
.wide { overflow-x: auto; margin: .5rem 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .35rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; min-width: 6rem; }
thead th.over { text-align: center; border-bottom: 1px solid var(--line); }
td.text, th.text { text-align: left; }
thead th { border-bottom: 2px solid var(--line); font-weight: 600; vertical-align: bottom; }
td.best { font-weight: 700; background: var(--good); }
.small { display: block; font-weight: 400; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; background: #fff; border: 1px solid var(--line); border-radius: 6px; padding: .4rem;
         flex: 1 1 20rem; max-width: 30rem; }
figure.whole { flex-basis: 100%; max-width: 46rem; }
figure img { width: 100%; height: auto; display: block; }
details > summary { cursor: pointer; color: var(--mark); margin: .6rem 0; }
dt { font-weight: 600; } dd { margin: 0 0 .5rem 1rem; color: var(--soft); }
code { font-size: .9em; overflow-wrap: anywhere; }
@media (max-width: 40rem) { main { padding: 1rem .8rem 3rem; } h1 { font-size: 1.35rem; }
  th, td { padding: .3rem .4rem; } th:first-child, td:first-child { min-width: 4.5rem; }
  figure { flex-basis: 100%; max-width: 100%; } .short, .warning { padding: .6rem .8rem; } }
@media print { details > * { display: block; } .wide { overflow: visible; } figure { break-inside: avoid; } }
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>$css</style>
</head>
<body>
<main>
$body
</main>
</body>
</html>
"""
