"""Where the seconds between a push and its answer go."""

import statistics

from support.figures import checked

COLOURS = {"fetch": "#69c", "build": "#6a6", "fast-forward": "#c96",
           "exchange": "#963", "restart": "#c66", "rest": "#bbb"}
WORDS = {
    "fetch": "git fetches; meanwhile runtimes and systemd are asked",
    "build": "install aside (git, npm, pip)",
    "fast-forward": "git moves the checkout",
    "exchange": "put environments into use",
    "restart": "systemctl restart",
    "rest": "the rest: questions and notes of the program, and the services' "
            "start until both ports serve"}


class Timeline:
    """The medians of runs, in seconds, in the order of their steps."""

    def __init__(self, runs, script):
        self.served = statistics.median(run["served"] for run in runs)
        self.script = script  # when its push is served; None: not measured
        # What no step is: before the services serve, and after.
        self.own = statistics.median(run["took"] - sum(run["steps"].values())
                                     for run in runs)
        self.parts = {word: statistics.median(seconds(run, word)
                                              for run in runs)
                      for word in WORDS}


def seconds(run, word):
    if word == "rest":
        named = sum(seconds(run, one) for one in WORDS if one != "rest")
        return checked("the rest", run["served"], run["served"] - named)
    return sum(took for step, took in run["steps"].items()
               if step.split(": ")[-1] == word)


def table_of(timelines):
    yield f"| | {' | '.join(timelines)} |"
    yield f"| --- |{' ---: |' * len(timelines)}"
    for word, text in WORDS.items():
        cells = [f"{found.parts[word]:.2f} s" for found in timelines.values()]
        yield f"| {text} | {' | '.join(cells)} |"
    rows = {"of the rest, the program's, at most": [
                f"{found.own:.2f} s" for found in timelines.values()],
            "served": [f"{found.served:.2f} s"
                       for found in timelines.values()],
            "the script's push is served": [
                f"{found.script:.2f} s" if found.script else ""
                for found in timelines.values()],
            "ratio": [f"{found.served / found.script:.2f}"
                      if found.script else ""
                      for found in timelines.values()]}
    for text, cells in rows.items():
        yield f"| {text} | {' | '.join(cells)} |"


def chart(timelines):
    left, width, y = 130, 500, 30
    scale = width / max(max(found.served, found.script or 0)
                        for found in timelines.values())
    parts = []
    for event, found in timelines.items():
        parts.append(f'<text x="4" y="{y + 12}">{event}</text>')
        x = left
        for word, seconds in found.parts.items():
            length = seconds * scale
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{length:.1f}" '
                         f'height="14" fill="{COLOURS[word]}"/>')
            x += length
        parts.append(f'<text x="{x + 5:.0f}" y="{y + 11}">'
                     f'{found.served:.2f} s</text>')
        if found.script:
            length = found.script * scale
            parts.append(
                f'<rect x="{left}" y="{y + 17}" width="{length:.1f}" '
                f'height="6" fill="#fff" stroke="#c66"/><text x="'
                f'{left + length + 5:.0f}" y="{y + 24}">the script: '
                f'{found.script:.2f} s</text>')
        y += 36
    for word, text in WORDS.items():
        parts.append(f'<rect x="{left}" y="{y}" width="10" height="10" '
                     f'fill="{COLOURS[word]}"/><text x="{left + 16}" '
                     f'y="{y + 9}">{text}</text>')
        y += 15
    return ('<svg xmlns="http://www.w3.org/2000/svg" '
            f'width="{left + width + 150}" height="{y + 10}" '
            'font-family="sans-serif" font-size="11">'
            '<text x="4" y="16" font-size="13">From the push until both ports '
            "serve it, staged</text>" + "".join(parts) + "</svg>\n")
