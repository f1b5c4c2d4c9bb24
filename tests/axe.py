"""axe-core on a page: what it does to those who cannot see it, or not as we do."""

from importlib.resources import files


def violations(place, selector=".kho", **options):
    """What axe, with these options, finds within `selector`: one line for each rule and element."""
    page = getattr(place, "page", place)
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    options = {"resultTypes": ["violations"], **options}
    found = page.evaluate("([where, options]) => axe.run(where, options)", [selector, options])
    assert found["passes"], "axe looked at nothing"
    return [f"{rule['id']}: {node['target']} {node['html'][:120]}"
            for rule in found["violations"] for node in rule["nodes"]]  # fmt: skip
