// Brings the figures of a page to life. A classic script: a page opened from a file may not import modules, so it carries
// the stepper's one module, packed, and imports it from a Blob. Until a figure is drawn, and if drawing fails, its words
// stay. `#id@step` opens a figure at a step.
(() => {
  const PACKED = "STEPPER_MODULE", STYLE = "STEPPER_STYLE";
  const NEAR = "800px"; // figures further from the window than this wait

  const figures = [...document.querySelectorAll(".khosim-figure")];
  if (!figures.length) return;
  const shared = document.getElementById("khosim-sources");
  let sources = {};
  const texts = new Map(); // figure -> its document, unpacked; of one that is broken, what was wrong
  const drawn = new Set();
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
    if (drawn.has(figure) || figure.dataset.failed) return;
    const el = document.createElement("div"), words = figure.querySelector(".khosim-words");
    try {
      const model = modelOf({ document: JSON.parse(texts.get(figure)), sources, t: +figure.dataset.t });
      figure.insertBefore(el, words);
      render({ model, el });
      drawn.add(figure);
      words.hidden = true;
    } catch (error) {
      el.remove();
      figure.dataset.failed = "true";
      console.error(error);
    }
  }

  /** A link to a figure or to one of its steps: the stepper itself goes to the step. */
  function follow() {
    const [id] = decodeURIComponent(location.hash.slice(1)).split("@");
    const figure = figures.find((f) => f.id === id);
    if (!figure) return;
    figures.slice(0, figures.indexOf(figure) + 1).forEach(draw); // what is drawn above it later would push it out of view
    figure.scrollIntoView({ behavior: "instant" });
  }

  /** Paper is not scrolled: draw what was left. Steppers drawn now have missed the news, so it is told again. */
  function print(event) {
    const late = figures.filter((f) => !drawn.has(f) && !f.dataset.failed);
    if (!render || !late.length) return;
    late.forEach(draw);
    event.stopImmediatePropagation();
    window.dispatchEvent(new Event("beforeprint"));
  }
  window.addEventListener("beforeprint", print);

  unpack().then(() => {
    const seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) { seen.unobserve(target); draw(target); }
    }, { rootMargin: NEAR });
    figures.forEach((f) => seen.observe(f));
    follow();
    window.addEventListener("hashchange", follow);
    document.documentElement.dataset.khosim = "ready";
  }).catch((error) => console.error(error));
})();
