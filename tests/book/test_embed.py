import base64
import gzip
import json
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from book.press.embed import STATE, STEPPER, VIEW, PressError, bare, bind, differences, figure, loader, script


def document(name, **more):
    return {"id": name, "steps": [{}, {"say": "One."}, {"say": "Two."}], "functions": []} | more


def notebook(*models, words="<p>words</p>", kind=STEPPER):
    cells, state = [], {}
    for number, traits in enumerate(models):
        data = {"text/plain": "Stepper", "text/html": words, VIEW: {"model_id": f"m{number}", "version_major": 2}}
        data = {kind: text for kind, text in data.items() if text}
        cells.append(new_code_cell("trace", outputs=[new_output("execute_result", data)]))
        state[f"m{number}"] = {"state": {"_anywidget_id": kind, "t": 0, "sources": {}} | traits}
    return new_notebook(cells=cells, metadata={"widgets": {STATE: {"state": state}}})


def unpacked(text):
    return json.loads(gzip.decompress(base64.b64decode(json.loads(text))))


def shown(book):
    return [output.data["text/html"] for cell in book.cells for output in cell.outputs]


def test_a_stepper_becomes_a_figure_with_its_document_and_its_words():
    [html] = shown(bind(notebook({"document": document("a"), "t": 2})))
    found = re.fullmatch(
        r'<div class="khosim-figure" id="a" data-t="2" data-steps="2"><script type="application/json">(.*)</script>'
        r'<div class="khosim-words"><p>words</p></div></div>\n', html,
    )  # fmt: skip
    assert unpacked(found[1]) == document("a")


def test_no_widget_state_is_left():
    book = bind(notebook({"document": document("a")}))
    assert "widget" not in nbformat.writes(book)


def test_source_texts_stand_once_before_the_first_figure():
    a, b = {"document": document("a"), "sources": {"k": 1}}, {"document": document("b"), "sources": {"k": 1, "l": 2}}
    book = notebook(a, b)
    first, second = shown(bind(book))
    found = re.match(r'<script type="application/json" id="khosim-sources">"(.*?)"</script><div', first)
    assert json.loads(gzip.decompress(base64.b64decode(found[1]))) == {"k": 1, "l": 2}
    assert "khosim-sources" not in second


def test_two_figures_of_one_name_are_refused():
    with pytest.raises(PressError, match="two figures are called 'a'"):
        bind(notebook({"document": document("a")}, {"document": document("a")}))


def test_a_fork_stands_beside_its_parent_under_a_name_of_its_own():
    fork = document("a", other={"from": 2, "steps": [{}]})
    html = "".join(shown(bind(notebook({"document": document("a")}, {"document": fork}, {"document": fork}))))
    assert re.findall(r' id="([^"]+)"', html) == ["a", "a-fork", "a-fork-2"]
    told = re.findall(r'json">(".*?")</script>', html)
    assert [unpacked(text)["id"] for text in told] == ["a", "a-fork", "a-fork-2"]


def test_source_text_that_differs_between_figures_is_refused():
    book = notebook({"document": document("a"), "sources": {"k": 1}}, {"document": document("b"), "sources": {"k": 2}})
    with pytest.raises(PressError, match="source text k"):
        bind(book)


def test_a_figure_without_words_is_refused():
    with pytest.raises(PressError, match="has no words"):
        bind(notebook({"document": document("a")}, words=""))


def test_a_question_keeps_its_card_and_loses_its_fields():
    card = '<section class="khosim-card">How many?</section>'
    book = notebook({}, kind="ipywidgets.VBox", words=card)
    assert shown(bind(book)) == [card]
    assert VIEW not in book.cells[0].outputs[0].data


def test_another_widget_is_refused():
    with pytest.raises(PressError, match="no widget but the stepper"):
        bind(notebook({}, kind="ipywidgets.IntSlider"))


def test_data_cannot_end_its_script_element():
    said = {"say": "</script><!-- <b>"}
    text = script(said)
    assert text.count("<") == 2
    assert json.loads(text[text.index(">") + 1 : text.rindex("<")]) == said


def test_a_figure_says_how_many_steps_it_has():
    assert 'data-steps="2"' in figure(document("a"), 0, "")


def test_a_link_may_lead_as_far_as_the_longer_future():
    for more, last in ((1, 2), (4, 5)):
        assert f'data-steps="{last}"' in figure(document("a", other={"from": 2, "steps": [{}] * more}), 0, "")


def said(*texts):
    return new_notebook(cells=[new_code_cell("x", outputs=[new_output("stream", text=text)]) for text in texts])


def test_a_cell_that_says_something_else_is_found():
    assert differences(said("a", "b"), said("a", "b")) == []
    assert differences(said("a", "c"), said("a", "b")) == ["code cell 2 says something else than what is stored"]
    assert differences(said("a"), said("a", "b")) == ["1 code cells ran, 2 are stored"]


def test_the_loader_carries_the_module(tmp_path):
    (tmp_path / "module.js").write_text("export default 1; // \u2013\n", encoding="utf-8")
    (tmp_path / "embed.js").write_text('const PACKED = "STEPPER_MODULE", STYLE = "STEPPER_STYLE";\n')
    (tmp_path / "style.css").write_text("a {}\n")
    text = loader(tmp_path / "module.js", tmp_path / "style.css", tmp_path / "embed.js")
    carried = [gzip.decompress(base64.b64decode(packed)) for packed in re.findall(r'"(.*?)"', text)]
    assert carried == [(tmp_path / name).read_bytes() for name in ("module.js", "style.css")]


def test_comments_and_indents_stay_at_home():
    js = "// one\n/** Two\n *  lines. */\nconst a = `x  y`; // said here\n  /* three */\n  f(a);\n"
    assert bare(js) == "const a = `x  y`; // said here\nf(a);\n"


def test_a_template_over_several_lines_is_refused():
    with pytest.raises(PressError, match="several lines"):
        bare("const a = `x\n  y`;\n")
