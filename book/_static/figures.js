// Brings the figures of a page to life. A classic script: a page opened from a file may not import modules, so it carries
// the stepper's one module, packed, and imports it from a Blob. Until a figure is drawn, and if drawing fails, its words
// stay. `#id@step` opens a figure at a step.
(() => {
  const PACKED = "STEPPER_MODULE", STYLE = "STEPPER_STYLE";

  const figures = [...document.querySelectorAll(".khosim-figure")];
  if (!figures.length) return;

  document.querySelector(".toc-drawer")?.addEventListener("click", ({ target }) => {
    if (target.closest("a")) document.getElementById("__toc").checked = false; // the theme leaves it open over the section
  });

  const shared = document.getElementById("khosim-sources");
  let sources = {};
  const texts = new Map(); // figure -> its document, unpacked; of one that is broken, what was wrong
  let render = null;

  function unzip(packed) {
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }

  async function unpack() {
    if (shared) sources = JSON.parse(await unzip(JSON.parse(shared.textContent)));
    await Promise.all(figures.map(async (f) => texts.set(f, await unzip(JSON.parse(f.querySelector("script").textContent)).catch(String))));
    document.head.append(Object.assign(document.createElement("style"), { textContent: await unzip(STYLE) }));
    const url = URL.createObjectURL(new Blob([await unzip(PACKED)], { type: "text/javascript" }));
    ({ default: { render } } = await import(url));
    URL.revokeObjectURL(url);
  }

  /** What anywidget gives a stepper, less the kernel. */
  function modelOf(traits) {
    const heard = {};
    return {
      get: (name) => traits[name],
      set(name, value) { if (traits[name] !== value) { traits[name] = value; heard[`change:${name}`]?.forEach((f) => f()); } },
      on: (event, f) => (heard[event] ??= new Set()).add(f),
      off: (event, f) => heard[event]?.delete(f),
      save_changes() {},
    };
  }

  function draw(figure) {
    const el = document.createElement("div"), words = figure.querySelector(".khosim-words");
    try {
      const model = modelOf({ document: JSON.parse(texts.get(figure)), sources, t: +figure.dataset.t });
      figure.insertBefore(el, words);
      render({ model, el });
      words.hidden = true;
    } catch (error) {
      el.remove();
      console.error(error);
    }
  }

  /** What the page's address leads to: a section, a figure, or one of its steps, to which the stepper itself goes. */
  function follow() {
    const [id] = decodeURIComponent(location.hash.slice(1)).split("@");
    document.getElementById(id)?.scrollIntoView({ behavior: "instant" });
  }

  const fresh = () => performance.getEntriesByType("navigation")[0]?.type === "navigate"; // who comes back is where they were
  const end = (state) => { document.documentElement.dataset.khosim = state; };

  unpack().then(() => {
    figures.forEach(draw); // all at once: one that grew later would push away what a link has led to
    end("ready");
    if (fresh()) follow(); // the browser was there before the figures were
    window.addEventListener("hashchange", () => { if (location.hash.includes("@")) follow(); });
  }).catch((error) => { end("failed"); console.error(error); });
})();
