// The stepper: one ES module, no dependency, no build step. It draws a document of khosim.show.frame and never simulates:
// all stepping is looking things up in what was recorded. Hosts: anywidget (JupyterLab, VS Code), the static book, a bare page.
//
//   1 decode      document -> story: every state, sharing the rows that did not change
//   2 read        what a story says: lives of blocks, violations, the biography of a frame
//   3 layout      numbers only: where things lie at a given width
//   4 marks       SVG path data for hatch, corner, comb, octagon
//   5 views       state + layout -> a tree of plain objects; no DOM: timeline, figure, controls, rail, code, text, panels, forks
//   6 leaves      what leaves the figure: a strip of steps for paper, a picture as a file, a step as text
//   7 mend        make the DOM like the tree, keeping elements (focus and transitions live on them)
//   8 render      events, theme, play, the host's model
//
// Parts 1 to 5 are pure and run without a browser; so is 6, but for what makes files.

// ---------------------------------------------------------------------------------------------------------- 1 decode

export const ROLE = ["free", "kernel", "scratch", "fdt", "bitmap", "inode", "cached", "fresh", "held", "stale", "other", "unclaimed"];
const VERDICT = ["hole", "cached", "fresh", "held", "swapped", "unlisted", "disagree", "stale", "unknown"];
const SIZE = { i_size: 0, mirror: 1, nrpages: 2, alloced: 3, swapped: 4, ino: 5 };
const FRAME_ROWS = ["role", "holds", "bit", "poison", "flags", "refs", "maps"];
const [FREE, BITMAP, CACHED, FRESH, HELD, STALE, OTHER, UNCLAIMED] = [0, 4, 6, 7, 8, 9, 10, 11];
const [UNLISTED, WRONG, UNKNOWN] = [5, 7, 8]; // verdicts: from UNLISTED to WRONG, cache and block list do not agree
const MANY = 8; // more changed cells than this are seen without a ring around each

const CHUNK = 1024, [NONE, VALUES] = [-1, 16]; // the square root of the largest machine: a step copies as much of the spine as of a chunk

/** An immutable row of integers. It is kept in chunks that rows share; a chunk of one value is that value. So a step costs what it
    changes, however large the machine. */
export class Row {
  constructor(length, chunks) { this.length = length; this.chunks = chunks; }

  at(n) {
    if (!(n >= 0 && n < this.length)) return NONE;
    const chunk = this.chunks[Math.floor(n / CHUNK)];
    return typeof chunk === "number" ? chunk : chunk[n % CHUNK];
  }

  /** A row with runs [start, length, value, ...] written over this one. */
  write(runs) {
    const chunks = this.chunks.slice(), own = new Set();
    for (let k = 0; k < runs.length; k += 3) {
      const last = Math.min(runs[k] + runs[k + 1], this.length), value = runs[k + 2];
      for (let from = runs[k]; from < last;) {
        const c = Math.floor(from / CHUNK), start = c * CHUNK, end = Math.min(start + CHUNK, this.length), to = Math.min(end, last);
        if (from === start && to === end) { chunks[c] = value; own.delete(c); }
        else if (chunks[c] !== value) {
          if (!own.has(c)) { chunks[c] = typeof chunks[c] === "number" ? new Float64Array(end - start).fill(chunks[c]) : chunks[c].slice(); own.add(c); }
          chunks[c].fill(value, from - start, to - start); // doubles: flags use all 32 bits, and -1 means none
        }
        from = to;
      }
    }
    return new Row(this.length, chunks);
  }

  /** Runs [start, end, value] of the cells from `first` to before `last`. */
  *runs(first = 0, last = this.length) {
    let start = first, value = this.at(first);
    for (let n = first; n < last;) {
      const c = Math.floor(n / CHUNK), chunk = this.chunks[c], end = Math.min((c + 1) * CHUNK, last);
      if (typeof chunk !== "number") for (; n < end; n++) {
        if (chunk[n % CHUNK] !== value) { yield [start, n, value]; start = n; value = chunk[n % CHUNK]; }
      }
      else if (chunk !== value) { if (n > start) yield [start, n, value]; start = n; value = chunk; }
      n = end;
    }
    if (last > start) yield [start, last, value];
  }

  slice(first, last) {
    return Float64Array.from({ length: last - first }, (_, k) => this.at(first + k));
  }

  /** How often each value from 0 to 15 is among the cells from `first` to before `last`. */
  tally(first = 0, last = this.length) {
    const whole = first === 0 && last === this.length;
    if (whole && this.counted) return this.counted;
    const out = new Float64Array(VALUES);
    for (let n = first; n < last;) {
      const c = Math.floor(n / CHUNK), end = Math.min((c + 1) * CHUNK, last), chunk = this.chunks[c];
      if (typeof chunk === "number") { if (chunk >= 0 && chunk < VALUES) out[chunk] += end - n; }
      else if (n % CHUNK === 0 && end - n === chunk.length) counts(chunk).forEach((k, value) => { out[value] += k; });
      else for (let k = n; k < end; k++) if (chunk[k % CHUNK] >= 0) out[chunk[k % CHUNK]]++; // past the last value: lost, as it should be
      n = end;
    }
    if (whole) this.counted = out;
    return out;
  }

  /** The first `most` cells from `first` to before `last` that have this value. */
  find(value, most, first = 0, last = this.length) {
    const out = [];
    for (let n = first; n < last && out.length < most;) {
      const c = Math.floor(n / CHUNK), end = Math.min((c + 1) * CHUNK, last), chunk = this.chunks[c];
      if (chunk === value || (typeof chunk !== "number" && counts(chunk)[value])) for (; n < end && out.length < most; n++) if (this.at(n) === value) out.push(n);
      n = end;
    }
    return out;
  }
}

const COUNTS = new WeakMap(); // a chunk never changes once its row is made, and rows share it: count it once

function counts(chunk) {
  let out = COUNTS.get(chunk);
  if (!out) {
    COUNTS.set(chunk, (out = new Uint16Array(VALUES)));
    for (const value of chunk) if (value >= 0 && value < VALUES) out[value]++;
  }
  return out;
}

/** Where two rows of one length differ: [start, end, was, is]. What they share is not looked at. */
export function* differences(a, b) {
  for (let c = 0; a !== b && c < b.chunks.length; c++) {
    const x = a.chunks[c], y = b.chunks[c], start = c * CHUNK, end = Math.min(start + CHUNK, b.length);
    if (x === y) continue;
    for (let n = start; n < end;) {
      const from = n, was = a.at(n), is = b.at(n);
      if (typeof x === "number" && typeof y === "number") n = end;
      else while (n < end && a.at(n) === was && b.at(n) === is) n++;
      if (was !== is) yield [from, n, was, is];
    }
  }
}

/** Runs (value, length, ...) to one row. */
export function unpack(runs) {
  const placed = [];
  let n = 0;
  for (let k = 0; k < runs.length; n += runs[k + 1], k += 2) placed.push(n, runs[k + 1], runs[k]);
  return new Row(n, new Array(Math.ceil(n / CHUNK)).fill(0)).write(placed);
}

/** Pieces of bytes (start, text, ...) as runs; `a5*40` is forty bytes 0xA5. */
function spell(pieces) {
  const runs = [];
  for (let k = 0; k < pieces.length; k += 2) {
    let at = pieces[k];
    for (const word of pieces[k + 1].split(" ")) {
      const [hex, times = 1] = word.split("*");
      for (let c = 0; c < hex.length; at += +times, c += 2) runs.push(at, +times, parseInt(hex.slice(c, c + 2), 16));
    }
  }
  return runs;
}

const SCHEMA = "khosim/2";

/** Why a document cannot be shown, in one sentence; "" if it can. */
function refusal(doc) {
  if (doc?.schema === SCHEMA) return "";
  const found = doc?.schema ? `in the format ${doc.schema}` : "in no format it knows";
  return `This figure was recorded ${found}, and this page reads ${SCHEMA}: run its cell again to see it.`;
}

/** Document, and source text by key, to story. `states[t]` is immutable; rows that a step left alone are the same objects as before. */
export function decode(doc, sources = {}) {
  const words = refusal(doc);
  if (words) throw new RangeError(words);
  const story = tell(doc, sources, []);
  if (doc.other) {
    const { from, ...rest } = doc.other;
    const other = tell({ ...doc, ...rest, steps: [...doc.steps.slice(0, from), ...rest.steps] }, sources, story.states.slice(0, from));
    Object.assign(story, { other, from }); // `other` is a story of its own; until `from` it has the rows of this one
    other.pages = story.pages = Math.max(story.pages, other.pages);
    other.seen = story.seen = { roles: story.seen.roles.map((seen, r) => seen || other.seen.roles[r]), freed: story.seen.freed || other.seen.freed };
    other.cpus = story.cpus = [...new Set([...story.cpus, ...other.cpus])].sort(); // one timeline shows both
  }
  return story;
}

/** One future. `past` are states of which it takes the rows. */
function tell(doc, sources, past) {
  const names = doc.planes.map(([name]) => name);
  let rows = Object.fromEntries(doc.planes.map(([name, runs]) => [name, unpack(runs)]));
  let say = "", cpu = "", bad = [], pending = [], stack = [], kernel = doc.kernel ?? 1, bootEnd = -1;
  const none = unpack([0, doc.machine.frames]);
  let freed = none;
  const states = doc.steps.map((step, t) => {
    const before = rows;
    if (past[t]) ({ rows } = past[t]);
    else for (const [plane, ...runs] of step.d ?? []) {
      const name = names[plane];
      rows = { ...rows, [name]: rows[name].write(name === "bytes" ? spell(runs) : runs) };
    }
    const kexec = doc.kexecs.includes(t);
    if (kexec) { kernel++; bootEnd = bootUntil(doc, t); }
    ({ say = say, cpu = cpu, bad = bad, pending = pending } = step);
    if (step.stack) {
      const [keep, ...code] = step.stack;
      stack = stack.slice(0, keep);
      for (let k = 0; k < code.length; k += 2) stack.push({ fn: code[k], line: code[k + 1] });
    }
    const booting = t <= bootEnd;
    if (booting) freed = none;
    else if (before.role !== rows.role) freed = freedBy(before.role, rows.role, freed);
    const soft = pending.length > 0 && !bad.length; // wrong only within a call: not a fault
    const state = { t, rows, say, cpu, bad, pending, soft, stack, kernel, freed, kexec, booting, warn: !!step.warn };
    return { ...state, call: callAt(doc, t, cpu), changed: touched(before, rows, doc.machine, state.kexec) };
  });
  return { doc, sources, states, last: states.length - 1, cpus: cpusOf(doc), lives: lives(states), violations: spans(states), biographies: new Map(), pages: pagesOf(doc, states), seen: seenIn(states) };
}

/** The call that `cpu` is in at step t: [cpu, text, first, last, result], or null. */
function callAt(doc, t, cpu) {
  return doc.calls.find((c) => c[0] === cpu && c[2] <= t && t <= c[3]) ?? null;
}

/** The last step of the kexec that hands over at step t: until then a kernel boots. */
function bootUntil(doc, t) {
  return doc.calls.find((c) => c[1].startsWith("kexec") && c[2] <= t && t <= c[3])?.[3] ?? t;
}

/** The frames that this kernel has freed, and that nobody has taken since, as a row of 1: drawn with their poison. */
function freedBy(before, after, freed) {
  const runs = [];
  for (const [start, end, , is] of differences(before, after)) runs.push(start, end - start, is === FREE || is === STALE ? 1 : 0);
  return freed.write(runs);
}

/** What a step changed; a kexec and a boot change whole ranges: none. Of too many to ring, none either. */
function touched(a, b, machine, kexec) {
  const out = differing(kexec ? b : a, b, machine, MANY);
  for (const cells of [out.frames, out.cache, out.blocks]) if (cells.size > MANY) cells.clear();
  return out;
}

/** Where two states' rows differ: frames, slots of the page cache, blocks, sizes. Of each kind little more than `most` are looked for. */
function differing(a, b, machine, most) {
  const add = (name, into, per = 1) => { // `per` cells are one number
    for (const [start, end] of differences(a[name], b[name]))
      for (let n = Math.floor(start / per); n * per < end; n++) if (into.add(n).size > most) return into;
    return into;
  };
  const frames = new Set(), other = (k) => a.sizes.at(k) !== b.sizes.at(k);
  for (const name of FRAME_ROWS) add(name, frames);
  add("bytes", frames, machine.page_size);
  return { frames, cache: add("cache", new Set()), blocks: add("blocks", new Set()), size: other(SIZE.i_size), mirror: other(SIZE.mirror) };
}

/** How many pages of the file the story is about: all that were ever in it, cached or listed. */
function pagesOf({ machine }, states) {
  let most = 0;
  const count = (row, none) => { for (const [, end, value] of row.runs()) if (value !== none) most = Math.max(most, end); };
  for (const [before, { rows }] of states.map((state, k) => [states[k - 1]?.rows, state])) {
    if (before?.cache !== rows.cache) count(rows.cache, NONE);
    if (before?.blocks !== rows.blocks) count(rows.blocks, NONE);
    most = Math.max(most, ...[SIZE.i_size, SIZE.mirror].map((k) => Math.ceil(rows.sizes.at(k) / machine.page_size)));
  }
  return Math.min(most, machine.file_pages);
}

/** What is ever to be seen, for the key: it must not change from step to step. */
function seenIn(states) {
  const roles = ROLE.map((_, r) => states.some(({ rows }) => rows.role.tally()[r] > 0));
  return { roles, freed: states.some((state) => state.freed.tally()[1] > 0) };
}

function cpusOf(doc) {
  const names = new Set(doc.calls.map((c) => c[0]));
  for (const step of doc.steps) if (step.cpu) names.add(step.cpu);
  return [...names].sort();
}

// ------------------------------------------------------------------------------------------------------------ 2 read

/** The life of every block ever used, as runs [index, first, last, verdict]; a kexec always ends a run. */
function lives(states) {
  const out = [], open = new Map(), all = unpack([0, states[0]?.rows.verdict.length ?? 0]);
  states.forEach(({ t, rows, kexec, soft }, k) => {
    const before = states[k - 1], look = new Set(kexec || before?.soft !== soft ? open.keys() : []);
    for (const [start, end] of differences(before?.rows.verdict ?? all, rows.verdict)) for (let i = start; i < end; i++) look.add(i);
    for (const i of ascending(look)) {
      const said = rows.verdict.at(i), run = open.get(i), wrong = said >= UNLISTED && said <= WRONG;
      const v = said === UNKNOWN ? 0 : wrong && soft ? run?.[3] ?? 2 : said; // within a call a line goes on
      if (run && run[3] === v && !kexec) continue;
      if (run) run[2] = t - 1;
      open.delete(i);
      if (v) { const next = [i, t, states.length - 1, v]; open.set(i, next); out.push(next); }
    }
  });
  return out;
}

/** Violations as spans {name, words, first, last}, in order of appearance; `words` is what was wrong first. */
function spans(states) {
  const out = [], open = new Map();
  for (const { t, bad } of states) {
    const lit = new Set(bad.map(nameOf));
    for (const [name, span] of open) if (!lit.has(name)) { span.last = t - 1; open.delete(name); }
    for (const name of lit) if (!open.has(name)) {
      const span = { name, words: bad.find((v) => nameOf(v) === name), first: t, last: states.length - 1 };
      open.set(name, span);
      out.push(span);
    }
  }
  return out;
}

/** What the reader would look at when nothing is picked: the block, else the frame, that the latest step so far touched. */
export function follow(story, t) {
  for (let k = t; k > 0; k--) {
    const { frames, cache, blocks } = story.states[k].changed;
    const index = [...blocks, ...cache];
    if (index.length) return { kind: "block", n: index[0] };
    if (frames.size && frames.size <= 4) {
      const n = [...frames][0], i = story.states[k].rows.holds.at(n);
      return i >= 0 ? { kind: "block", n: i } : { kind: "frame", n };
    }
  }
  return null;
}

/** Resolve a selection at a state to its block index and frame number, -1 where there is none. */
export function resolve(state, selection) {
  if (!selection) return { block: -1, frame: -1 };
  const { rows } = state;
  if (selection.kind === "frame") return { frame: selection.n, block: rows.holds.at(selection.n) };
  const named = rows.blocks.at(selection.n), cached = rows.cache.at(selection.n);
  const frame = cached >= 0 ? cached : named;
  return { block: selection.n, frame: frame < rows.role.length ? frame : -1 };
}

/** The steps at which a frame changed in a way the picture shows, each with a few words. */
function biography(story, frame) {
  const known = story.biographies.get(frame);
  if (known) return known;
  const out = [];
  story.biographies.set(frame, out);
  for (let t = 1; t <= story.last; t++) {
    const text = phrase(story, t, frame);
    if (text) out.push({ t, text, call: story.states[t].booting ? "kexec" : callName(story.states[t]) });
  }
  return out;
}

/** The steps that change what is selected, in a way the picture shows. */
function changesOf(story, { kind, n }) {
  if (kind === "frame") return biography(story, n).map((e) => e.t);
  return range(story.last + 1).slice(1).filter((t) => {
    const a = story.states[t - 1].rows, b = story.states[t].rows, { frame } = resolve(story.states[t], { kind, n });
    return ["cache", "blocks", "verdict"].some((row) => a[row].at(n) !== b[row].at(n)) || (frame >= 0 && phrase(story, t, frame) !== "");
  });
}

/** Whether the function that runs at state `a` is not on the stack of state `b`: another call, or its caller moved on. */
function gone(a, b) {
  const d = a.stack.length - 1;
  return a.call !== b.call || b.stack.length <= d || a.stack.some(({ fn, line }, k) => fn !== b.stack[k].fn || (k < d && line !== b.stack[k].line));
}

/** Where each control leads from step t: a step, or undefined where there is none. */
export function ways(story, t, selection) {
  const { states, last } = story, here = states[t];
  const beside = (s) => s.cpu === here.cpu || !here.cpu || !s.t; // before the first step no CPU has moved
  const over = (s) => beside(s) && (s.stack.length <= here.stack.length || gone(here, s)), out = (s) => beside(s) && gone(here, s);
  const later = (list) => list.find((k) => k > t), earlier = (list) => list.findLast((k) => k < t);
  const end = here.call && here.call[3] > t ? here.call[3] : undefined; // where the recording ends within the function
  const seek = (test) => [states.slice(0, t).findLast(test)?.t, states.slice(t + 1).find(test)?.t ?? end];
  const sides = (list) => [earlier(list), later(list)];
  const calls = ascending([0, ...story.doc.calls.map((c) => c[2]), last]);
  const pairs = {
    step: [t > 0 ? t - 1 : undefined, t < last ? t + 1 : undefined], end: [t > 0 ? 0 : undefined, t < last ? last : undefined],
    call: sides(calls), over: seek(over), out: seek(out), kexec: sides(story.doc.kexecs), violation: sides(story.violations.map((v) => v.first)),
    change: selection ? sides(changesOf(story, selection)) : [],
  };
  return Object.fromEntries(Object.entries(pairs).flatMap(([name, [back, on]]) => [[`${name}Back`, back], [name, on]]));
}

function phrase(story, t, n) {
  const a = story.states[t - 1].rows, b = story.states[t].rows;
  const words = [];
  const was = a.role.at(n), is = b.role.at(n);
  const boot = story.states[t].booting; // a booting kernel finds things; nobody changes them
  if (was !== is) words.push(roleWords(was, is, boot, b.holds.at(n)));
  else if (a.holds.at(n) !== b.holds.at(n) && b.holds.at(n) >= 0) words.push(`block ${b.holds.at(n)} set`);
  if (!boot && a.bit.at(n) !== b.bit.at(n)) words.push(b.bit.at(n) ? "bit set" : "bit cleared");
  const dirty = story.doc.machine.flags?.dirty ?? 0;
  if (!boot) {
    if (has(b.flags.at(n), dirty) && !has(a.flags.at(n), dirty)) words.push("dirty");
    if (!words.length && bytesDiffer(a, b, n, story.doc.machine.page_size)) words.push("bytes written");
  }
  const [first = "", second = ""] = words.filter(Boolean);
  return second && first.length + second.length <= 19 ? `${first}, ${second}` : first; // one line of the rail
}

function roleWords(was, is, boot, block) {
  if (is === UNCLAIMED) return boot && (was === CACHED || was === FRESH) ? "cache gone" : "";
  if (was === UNCLAIMED && boot) return { [HELD]: "found, now held", [FREE]: "free again" }[is] ?? ROLE[is];
  if (is === STALE) return "freed, block kept";
  if (is === FREE) return was === STALE ? "block cleared" : "freed";
  if (is === OTHER) return was === FREE ? "off the free list" : "out of the cache";
  if (is === HELD) return was === FREE || was === OTHER ? (block < 0 ? "" : `block ${block} set`) : boot ? "now held" : "out of the cache";
  if (is === FRESH) return "in the cache";
  if (is === CACHED) return { [FRESH]: "uptodate", [HELD]: "back in the cache" }[was] ?? "in the cache";
  return ROLE[is];
}

function bytesDiffer(a, b, n, size) {
  if (a.bytes === b.bytes) return false;
  for (let k = n * size; k < (n + 1) * size; k++) if (a.bytes.at(k) !== b.bytes.at(k)) return true;
  return false;
}

const has = (flags, mask) => mask > 0 && Math.floor(flags / mask) % 2 === 1; // no `&`: it would cut at 31 bits
const callName = (state) => (state.call ? state.call[1].split("(")[0] : "");
const hex = (n, digits = 2) => n.toString(16).padStart(digits, "0");
const pfnName = (n) => "0x" + hex(n);
const amount = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const ascending = (numbers) => [...new Set(numbers)].sort((a, b) => a - b);
const range = (n) => Array.from({ length: n }, (_, k) => k);
const clamp = (x, a, b) => Math.min(b, Math.max(a, x));
const round = (x) => Math.round(x * 10) / 10;

// ---------------------------------------------------------------------------------------------------------- 3 layout

/** How many frames can be shown at a time: the last is all of them. A small machine has one answer. */
export const zooms = (frames) => [...(frames > 256 ? [64, 256, 4096].filter((n) => n < frames) : []), frames];

/** The frames [first, last) shown at a zoom with frame `n` among them; ranges lie side by side, so that each lies in one of the level above. */
export function shownRange(n, zoom, frames) {
  const first = Math.floor(clamp(n, 0, frames - 1) / zoom) * zoom;
  return { first, last: Math.min(first + zoom, frames), zoom };
}

/** The ranges around a shown one, widest first, each with a bar of its own. */
export function wider(shown, frames) {
  const zoomed = [frames, ...(frames >= 4 * 4096 ? [4096] : [])].filter((zoom) => zoom > shown.zoom);
  return zoomed.map((zoom) => shownRange(shown.first, zoom, frames));
}

/** All measures for a container of `width` pixels. Gutter G, pitch P, cell C; see STYLE-VISUAL, section 2. `shown` are the frames in view. */
export function layout(width, story, shown = shownRange(0, story.doc.machine.frames, story.doc.machine.frames)) {
  const narrow = width < 700;
  const W = narrow ? Math.max(260, Math.min(width, 560)) : width >= 860 ? Math.min(width, 900) : Math.min(width, 736);
  const { file_pages, frames } = story.doc.machine, digits = Math.max(2, (frames - 1).toString(16).length);
  const G = (narrow ? (W < 320 ? 34 : 37) : 48) + 7 * Math.max(0, digits - (narrow ? 4 : 5)); // room for the frame numbers of a large machine
  const P = narrow ? Math.floor((W - G - 1) / 16) : W >= 860 ? 32 : W < 736 ? 26 : 28;
  const base = { narrow, tight: P < 17, W, G, P, wide: Math.min(W, G + 16 * P + 4), columns: Math.min(16, file_pages), ...shown, digits };
  const file = fileLayout(narrow ? 22 : 24, story.pages > 16 ? 22 : 0);
  return { ...base, ...file, ...memoryLayout(base, file.memory, wider(shown, frames)) };
}

/** Heights of the file's part: bar of the whole file if it is long, axis, upper ruler, page cache, block list, lower ruler, leader lane. */
function fileLayout(S, bar) {
  const axis = bar + 9, ruler = bar + 20, cache = bar + 28, blocks = cache + S + 2, mirror = blocks + S + 8;
  return { S, bar, axis, ruler, cache, blocks, mirror, lane: mirror + 11, memory: mirror + 32 };
}

/** Cells to 256 frames, 32 in a row where 16 would make the figure tall; dots to 8,192; beyond, shares in 128 columns. Below them, bars. */
function memoryLayout({ first, last, narrow, P }, top, ranges) {
  const n = last - first, dense = n > 64 && !narrow;
  const level = n <= 256 ? "cell" : n <= 8192 ? "dot" : "density", perRow = level !== "cell" ? 128 : dense ? 32 : 16, pitch = (16 * P) / perRow;
  const C = level !== "cell" ? 3 : dense ? pitch - 2 : P - (P < 24 ? 3 : 4), rowHeight = level === "cell" ? pitch : level === "dot" ? 4 : 64;
  const rows = level === "density" ? 1 : Math.ceil(n / perRow), below = top + rows * rowHeight + (level === "density" ? LABELS : 4);
  const bars = ranges.map((range, k) => ({ ...range, y: below + k * (BAR + 8), height: BAR }));
  return { level, dense: level === "cell" && dense, perRow, pitch, C, rowHeight, rows, bars, end: below + bars.length * (BAR + 8) };
}

const BAR = 14, LABELS = 30; // heights: a bar that shows where a range lies, and the two lines of marks under a density

/** Where the labels in the gutter end. */
const gutterEnd = (L) => L.G - (L.tight ? 3 : L.narrow ? 4 : 8);

/** Left edge of block column i, of the window that starts at `base`. */
const columnX = (L, i, base) => L.G + (i - base) * L.P;

/** Whether a frame is among those shown. */
const inView = (L, n) => n >= L.first && n < L.last;

/** Top left corner of the cell or dot of a shown frame. */
function frameXY(L, n) {
  const inset = L.level === "cell" ? (L.pitch - L.C) / 2 : 0, k = n - L.first;
  return [L.G + (k % L.perRow) * L.pitch + inset, L.memory + Math.floor(k / L.perRow) * L.rowHeight];
}

/** Where a frame lies in a strip of shares of the frames [first, last). */
const shareX = (L, n, { first, last }) => L.G + ((n - first + 0.5) / (last - first)) * 16 * L.P;

/** The frames, or pages, [first, last) that column c of `columns` stands for; of a few, each has one. */
export function columnRange(c, columns, first, last) {
  const per = (last - first) / columns;
  return [first + Math.floor(c * per), first + Math.floor((c + 1) * per)];
}

/** The window of 16 blocks that shows block `i`, as its first. */
const windowOf = (L, i) => (i < 0 ? 0 : Math.floor(i / L.columns) * L.columns);

/** The pages that the bar over the strips stands for. */
const filePages = (L, story) => ({ first: 0, last: Math.ceil(story.pages / L.columns) * L.columns });

/** What lies under a point of the figure: the nearest column or cell, {kind, n}, a {kind: "range", n, last} of frames, or null. */
export function hit(L, story, x, y, base) {
  const { file_pages } = story.doc.machine;
  if (y >= L.cache - 16 && y < L.mirror) {
    const i = base + Math.floor((x - L.G) / L.P);
    return x >= L.G && i < Math.min(base + L.columns, file_pages) ? { kind: "block", n: i } : null;
  }
  const row = Math.floor((y - L.memory) / L.rowHeight), column = Math.floor((x - L.G) / L.pitch);
  if (row < 0 || row >= L.rows || column < 0 || column >= L.perRow) return null;
  if (L.level === "density") { const [n, last] = columnRange(column, L.perRow, L.first, L.last); return { kind: "range", n, last }; }
  const n = L.first + row * L.perRow + column;
  return inView(L, n) ? { kind: "frame", n } : null;
}

/** The timeline's measures: `x(t)` is the left edge of step t; kexecs open a gap before their first step. A fork has two bands over one axis. */
function timeLayout(L, story) {
  const all = story.other ? [story, story.other] : [story], last = Math.max(...all.map((s) => s.last));
  const kexecs = ascending(all.flatMap((s) => s.doc.kexecs)), lanes = Math.max(1, story.cpus.length), G = L.narrow ? 44 : L.G, gap = 12;
  const w = (L.W - G - gap * kexecs.length - 2) / (last + 1);
  const used = ascending(all.flatMap((s) => s.lives.map((run) => run[0])));
  const band = lanes * 18 + 3, rows = band + 10, tall = used.length < 2 ? 12 : used.length < 10 ? 26 : 33;
  const R = Math.min(6, tall / Math.max(1, used.length)), deep = rows + tall + 6, axis = all.length * deep;
  const x = (t) => G + t * w + gap * kexecs.filter((k) => k <= t).length;
  const at = (px) => { let t = 0; while (t < last && x(t + 1) <= px) t++; return t; };
  return { G, W: L.W, w, gap, lanes, used, band, rows, R, deep, axis, last, kexecs, height: axis + 18, x, at, lane: (cpu) => story.cpus.indexOf(cpu) * 18 };
}

// ----------------------------------------------------------------------------------------------------------- 4 marks

/** Rising 45-degree hatch clipped to a box by arithmetic: no <pattern>, so no ids, so any number fit on a page. */
export function hatch(x, y, w, h, step, inset) {
  const [x0, y0, x1, y1] = [x + inset, y + inset, x + w - inset, y + h - inset];
  let d = "";
  for (let k = x0 + y0 + step / 2; k < x1 + y1; k += step) {
    const [ax, ay] = k - y1 >= x0 ? [k - y1, y1] : [x0, k - x0];
    const [bx, by] = k - y0 <= x1 ? [k - y0, y0] : [x1, k - x1];
    d += `M${round(ax)} ${round(ay)}L${round(bx)} ${round(by)}`;
  }
  return d;
}

/** The bits of a poison byte as ticks: 0xA5 is 10100101. */
export function comb(x, y, w, byte) {
  let d = "";
  for (let b = 0; b < 8; b++) if ((byte >> (7 - b)) & 1) d += `M${round(x + ((b + 0.5) * w) / 8)} ${y}v-3`;
  return d;
}

const octagon = (x, y, w, c) =>
  `M${x + c} ${y}H${x + w - c}L${x + w} ${y + c}V${y + w - c}L${x + w - c} ${y + w}H${x + c}L${x} ${y + w - c}V${y + c}Z`;
const cornerMark = (x, y, w, s) => `M${x + w - s} ${y}H${x + w - 3}Q${x + w} ${y} ${x + w} ${y + 3}V${y + s}Z`;

// ----------------------------------------------------------------------------------------------------------- 5 views

// JupyterLab's shortcuts fire on the focused element itself, so an ancestor's mark comes too late: each bears its own.
const focusable = (tag, attrs) => attrs?.tabindex != null || ["a", "button", "input", "select", "summary"].includes(tag);
const QUIET = { "data-lm-suppress-shortcuts": "true" };

/** A node of a view: plain data. Attributes that are null or false are left out, and so are kids that are neither node nor text. */
export const h = (tag, attrs, ...kids) => ({ tag, attrs: focusable(tag, attrs) ? { ...attrs, ...QUIET } : attrs ?? {}, kids: kids.flat(9).filter((k) => k?.tag || (typeof k === "string" && k)) });
const button = (attrs, ...kids) => h("button", { type: "button", ...attrs }, kids);
const path = (cls, d) => d && h("path", { class: cls, d });
const rect = (cls, x, y, width, height, rx) => h("rect", { class: cls, x: round(x), y: round(y), width: round(width), height: round(height), rx });
const text = (cls, x, y, words) => h("text", { class: cls, x: round(x), y: round(y) }, String(words));

const GLYPH = { fdt: "F", bitmap: "B", inode: "I" };
const ROLE_WORDS = {
  free: "free", kernel: "kernel", scratch: "scratch", fdt: "KHO FDT", bitmap: "PFN bitmap", inode: "KHO inode",
  cached: "cached", fresh: "cached, not uptodate", held: "held, not restored", stale: "stale", other: "another owner", unclaimed: "unclaimed",
};
const VERDICT_WORDS = ["hole", "cached and listed", "cached, not uptodate", "held, not restored", "swapped out, not listed",
  "UNLISTED: lost at kexec", "DISAGREE: two frames, one block", "STALE: names a frame that is not this file's", "not found yet"];
const ICON = {
  first: "M4 3.5v9M13 3.5L6.5 8l6.5 4.5Z", prev: "M11.5 3.5L5 8l6.5 4.5Z", play: "M4.5 2.8L13 8l-8.5 5.2Z",
  pause: "M4.5 3.5h2v9h-2ZM9.5 3.5h2v9h-2Z", next: "M4.5 3.5L11 8l-6.5 4.5Z", last: "M12 3.5v9M3 3.5L9.5 8L3 12.5Z",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
};

/** One frame of memory as marks. `q` is {role, label, bit, comb}. */
function frameMarks(q, x, y, s) {
  const role = ROLE[q.role], meta = GLYPH[role], c = s / 2, small = s < 12, inset = small ? 1 : 2;
  const ground = meta ? path("f-meta", octagon(x + 0.5, y + 0.5, s - 1, s / 5)) : rect(`f-${role}`, x + 0.5, y + 0.5, s - 1, s - 1, small ? 1 : 3);
  return [
    ground,
    role === "held" && path("hatch", hatch(x, y, s, s, Math.max(small ? 2.4 : 3, s / 4), inset)),
    role === "stale" && path("cross", `M${x + inset + 1} ${y + inset + 1}L${x + s - inset - 1} ${y + s - inset - 1}`),
    !small && role === "kernel" && path("dash", `M${round(x + c - s / 6)} ${y + c}h${round(s / 3)}`),
    role === "other" && path("dash", `M${x + c} ${round(y + c - s / 6)}v${round(s / 3)}`),
    role === "scratch" && path("dots", small ? `M${round(x + c)} ${round(y + c)}h0` : [1, 2].flatMap((a) => [1, 2].map((b) => `M${round(x + (s / 3) * a)} ${round(y + (s / 3) * b)}h0`)).join("")),
    q.comb && path(`comb ${role === "free" ? "on" : role === "stale" ? "bad" : ""}`, comb(x + s / 6, y + s - 3, (s * 2) / 3, q.comb)),
    q.label !== "" && text(`t-${meta ? "meta" : role}`, x + c, y + c + 4, q.label),
    q.bit && path("bit", cornerMark(x + 0.5, y + 0.5, s - 1, Math.max(small ? 3 : 5, round(s * 0.3)))),
  ];
}

/** What a frame's cell shows. Paint is drawn only where it says something: freed, fresh, stale, or held with old paint. */
function frameFacts(state, n, machine) {
  const { role, holds, bit, poison } = state.rows, r = role.at(n), name = ROLE[r];
  const painted = poison.at(n) > 0 && (r === FRESH || r === HELD || r === CACHED) && poison.at(n) >= machine.page_size / 4;
  const freed = poison.at(n) === machine.page_size && (r === FREE || r === STALE) && state.freed.at(n) > 0;
  const ours = r === CACHED || r === FRESH || r === HELD || r === STALE;
  const label = GLYPH[name] ?? (ours && holds.at(n) >= 0 ? String(holds.at(n)) : "");
  return { role: r, label, bit: bit.at(n) > 0, comb: freed ? 0xaa : painted ? 0xa5 : 0 };
}

const ALONE = "preserved, no block names it";

/** Whether a frame is only held back from the next kernel: its bit is set, and no block names it yet, or any more. */
const alone = ({ rows }, n) => rows.role.at(n) === HELD && rows.holds.at(n) < 0;

function frameName(state, n, machine) {
  const { rows } = state, q = frameFacts(state, n, machine);
  const parts = [`Frame ${pfnName(n)}`, alone(state, n) ? ALONE : ROLE_WORDS[ROLE[q.role]]];
  if (rows.holds.at(n) >= 0) parts.push(`block ${rows.holds.at(n)}`);
  if (q.bit) parts.push("PFN bit set");
  if (state.changed.frames.has(n)) parts.push("changed in this step");
  if (state.differs?.frames.has(n)) parts.push("differs from the other future");
  return parts.join(", ");
}

/** The timeline: for each future its calls, lives of blocks and violations; kexecs, axis, playhead. `story` is the first future, `state` is in view. */
export function timeline(story, state, L, pick, ui) {
  const T = timeLayout(L, story), t = ui.t ?? state.t, px = T.x(t) + T.w / 2, half = t < 100 ? 13 : 17, aside = pillAside(T, T.kexecs, px, half);
  const violation = state.bad.length ? `violated: ${[...new Set(state.bad.map(nameOf))].join(", ")}` : "no violation";
  const valuetext = [`Step ${t} of ${T.last}`, callName(state), `kernel ${state.kernel}`, violation].filter(Boolean).join(", ");
  return h("svg", {
    class: "tl", width: T.W, height: T.height, viewBox: `0 0 ${T.W} ${T.height}`, role: "slider", tabindex: 0, "aria-label": "Step",
    "aria-valuemin": 0, "aria-valuemax": T.last, "aria-valuenow": t, "aria-valuetext": valuetext,
  },
    timeBand(T, story, stateAt(story, t), L, pick, 0),
    story.other && h("g", { transform: `translate(0 ${T.deep})` }, timeBand(T, story.other, stateAt(story.other, t), L, pick, story.from)),
    story.other && fork(T, story),
    axisMarks(T, story, px, half, aside, L.narrow),
    ui.pins.length > 0 && path("pinned", ui.pins.map((k) => `M${round(T.x(k) + T.w / 2 - 4)} ${T.axis - 10}h8l-4 6Z`).join("")),
    h("g", { class: "playhead", transform: `translate(${round(px)} 0)` },
      path("head", `M0 ${T.band - 1}V${T.axis}`), rect("head-p", aside - half, T.axis - 1, 2 * half, 18, 9), text("head-t", aside, T.axis + 12, t)));
}

/** One future in the timeline, from step `from` on: what is before that is drawn in the other band. */
function timeBand(T, story, state, L, pick, from) {
  const end = Math.min(T.W - 2, T.x(story.last) + T.w), left = (t) => T.x(Math.max(t, from)), later = (list, k) => list.filter((run) => run[k] >= from), two = T.axis > T.deep;
  const block = L.narrow || two || T.used[0] > 9 ? "block" : `block ${T.used[0]}`, side = two && (from ? "there" : "here");
  return [
    later(story.doc.calls, 3).map(([cpu, words, first, last]) => callMark(T, state, story.doc.kexecs, [cpu, words, Math.max(first, from), last])),
    T.used.length > 1 && T.used.includes(pick.block) && rect("selrow", left(0) - 4, T.rows + T.used.indexOf(pick.block) * T.R - 1.5, end - left(0) + 6, T.R + 3, 2),
    lifeMarks(T, later(story.lives, 2), left),
    story.violations.filter((v) => v.last >= from).map((v) => [
      path("viol", `M${round(left(v.first) + T.w / 2)} ${T.band + 4}H${round(Math.min(end, T.x(v.last) + T.w))}`),
      crossMark(left(v.first) + T.w / 2, T.band + 4, 3)]),
    h("g", { class: "axis" },
      story.cpus.map((cpu) => text("gut", T.G - 8, T.lane(cpu) + 12, cpu)),
      T.used.length === 1 && text(two ? "gut on" : "gut", T.G - 8, T.rows + 8, side || block),
      T.used.length > 1 && [text(two ? "gut on" : "gut", T.G - 8, T.rows + 11, side || "blocks"), text("gut", T.G - 8, T.rows + 24, two ? "blocks" : `${T.used[0]}–${T.used.at(-1)}`)])];
}

/** Where a fork parts: a branch from the first band to the second, a mark at the first step that differs, and in the empty room what is shared. */
function fork(T, { from, other }) {
  const x = round(T.x(Math.min(from, other.last))), y = T.deep, crossed = T.kexecs.filter((k) => k < from).map((k) => T.x(k) - T.gap / 2);
  const ends = [x - 12, ...crossed.map((k) => k - 8)].find((end) => end - T.G > 138 && crossed.every((k) => k > end || k < end - 138)); // what has no room is dropped
  return h("g", { class: "fork" }, path("fork-l", `M${x} 0V${y - 4}M${x} ${y}V${T.axis}`), path("fork-m", `M${x} ${y - 9}l5 6l-5 6l-5 -6Z`),
    ends && text("ax end", ends, y + T.rows + 4, `the same up to step ${from - 1}`));
}

/** A call as a bar, cut where a kexec falls into it; its label stands in the longest piece. */
function callMark(T, state, kexecs, [cpu, words, first, last]) {
  const cuts = [first, ...kexecs.filter((k) => first < k && k <= last), last + 1], y = T.lane(cpu);
  const pieces = cuts.slice(1).map((end, k) => ({ x: T.x(cuts[k]), w: T.x(end - 1) + T.w - T.x(cuts[k]) - 2 }));
  const { x, w } = pieces.reduce((a, b) => (b.w > a.w ? b : a));
  const running = first <= state.t && state.t <= last, mode = running ? (cpu === state.cpu ? "on" : "fly") : "";
  const name = words.split("(")[0], args = words.slice(name.length);
  const fits = (s) => s.length * 6.3 + 10 < w; // the widest fallback font; a label that does not fit is dropped, never cut
  const label = fits(words) ? [name, h("tspan", { class: "dim" }, args)] : fits(name) ? [name] : [];
  return [pieces.map((p) => rect(`call ${mode}`, p.x + 1, y, Math.max(1, p.w), 16, 3)), h("text", { class: `call-t ${mode}`, x: round(x + 6), y: y + 12 }, label)];
}

const LIFE = ["", "run-c", "run-n", "run-h", "run-w", "run-s", "run-s", "run-s"]; // by verdict

/** One path for each kind of line, however many blocks; lines that would fall on one another are drawn once. */
function lifeMarks(T, lives, left) {
  const lines = {}, rowOf = new Map(T.used.map((i, k) => [i, k]));
  for (const [i, first, last, v] of lives) {
    const y = round(T.rows + rowOf.get(i) * T.R + T.R / 2);
    (lines[LIFE[v]] ??= new Set()).add(`M${round(left(first))} ${y}H${round(T.x(last) + T.w)}`);
  }
  return Object.entries(lines).map(([cls, found]) => path(cls, [...found].join("")));
}

const TAG = 23, STEP_ASIDE = 22; // half a KEXEC tag, and how far it leaves its line for the playhead

const kexecTag = (x, y, last = x) => [rect("kx-tag", x - TAG, y, last - x + 2 * TAG, 16, 3), text("kx-t", (x + last) / 2, y + 12, "KEXEC")];

/** How far the playhead's pill stands off its line: inside the picture, and clear of a KEXEC tag that cannot go further. */
function pillAside(T, kexecs, px, half) {
  const off = kexecs.map((t) => px - (T.x(t) - T.gap / 2)).map((d) => Math.sign(d) * Math.max(0, half + TAG + 2 - Math.abs(d) - STEP_ASIDE));
  const most = off.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a), 0);
  return clamp(px + most, half, T.W - half) - px;
}

/** From where to where the line of a kexec goes: through each future that has it. */
function kexecSpan(T, { doc, other }, t) {
  return [doc.kexecs.includes(t) ? 0 : T.deep, !other || other.doc.kexecs.includes(t) ? T.axis + 2 : T.deep - 4];
}

/** Axis labels in order of worth: playhead, kexecs, kernels, numbers. What would overlap an earlier one is dropped. */
function axisMarks(T, story, px, half, aside, narrow) {
  const taken = [[px + aside - half - 4, px + aside + half + 4]], y = T.axis + 12, out = [];
  const place = (a, b) => a >= T.G - 10 && b <= T.W && taken.every(([c, d]) => b <= c || a >= d) && taken.push([a, b]);
  const marks = T.kexecs.map((t) => T.x(t) - T.gap / 2);
  const near = half + TAG + 2; // closer than that, a tag steps aside for the playhead
  const tags = marks.map((x) => x + (Math.abs(x - px) < near ? Math.sign(x - px) * Math.min(STEP_ASIDE, near - Math.abs(x - px)) : 0));
  marks.forEach((x, k) => {
    const [top, foot] = kexecSpan(T, story, T.kexecs[k]);
    out.push(path("kx", `M${round(x)} ${top}V${foot}`));
    taken.push([tags[k] - 25, tags[k] + 25]);
  });
  const apart = (k) => !(tags[k] - tags[k - 1] < 2 * TAG + 2); // from the tag before; tags that are not are drawn as one
  tags.forEach((x, k) => apart(k) && out.push(kexecTag(x, T.axis, tags.find((_, n) => n >= k && apart(n + 1)))));
  const { kernel } = story.states[0];
  if (!narrow && T.kexecs.length === story.doc.kexecs.length) tags.forEach((x, k) => {
    if (k === 0 && place(x - 80, x - 26)) out.push(text("ax end", x - 31, y, `kernel ${kernel}`));
    if (place(x + 26, x + 80)) out.push(text("ax start", x + 31, y, `kernel ${kernel + k + 1}`));
  });
  const every = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((n) => n * T.w >= 30) ?? 2000;
  const tick = T.w >= 4 ? 1 : every / 2;
  let ticks = "";
  for (let t = 0; t <= T.last; t += tick) {
    const x = T.x(Math.round(t)) + T.w / 2, big = t % every === 0;
    ticks += `M${round(x)} ${T.axis - 3}v${big ? 5 : 3}`;
    const half = 4 + 3.5 * String(t).length;
    if (big && place(x - half, x + half)) out.push(text("ax", x, y, t));
  }
  return [path("tick", ticks), out];
}

/** File strips over physical memory, with rulers, leader, rings, and a bar for each range that is wider than what is shown. */
export function figure(story, state, L, ui) {
  const pick = resolve(state, ui.selection), base = baseOf(L, ui, pick), marks = marked(state, pick);
  return h("svg", { class: "fig", width: L.wide, height: L.end, viewBox: `0 0 ${L.wide} ${L.end}`, role: "group", "aria-label": "File and physical memory" },
    [L.bar > 0 && fileBar(story, state, L, pick, base), fileGrid(story, state, L, pick, base, ui), rulers(story, state, L, pick, base), fileLabels(story, state, L, base), memoryAxis(L),
      L.level === "cell" && leader(state, L, pick, base), memory(story, state, L, ui), L.level === "dot" && leader(state, L, pick, base), L.level === "dot" && dotMarks(L, marks),
      L.bars.map((bar, k) => memoryBar(state, L, bar, marks, k === 0)), rings(state, L, pick, base, ui)].map((part) => h("g", {}, part))); // each in its place, so that the focus stays where it is
}

/** The first block in view: of the reader's window, else of the one with the selection. */
const baseOf = (L, ui, pick) => ui.base ?? windowOf(L, pick.block);

/** The frames that no level may average away, in order of worth: violated, selected, changed. */
export function marked(state, pick) {
  const stale = state.rows.role.find(STALE, MANY), named = state.bad.flatMap((words) => [...words.matchAll(/frame 0x([0-9a-f]+)/g)].map(([, pfn]) => parseInt(pfn, 16)));
  const out = [...stale.map((n) => ({ n, kind: "bad", words: `stale, ${pfnName(n)}` })), ...named.map((n) => ({ n, kind: "bad", words: `violated, ${pfnName(n)}` })),
    ...(pick.frame >= 0 ? [{ n: pick.frame, kind: state.changed.frames.has(pick.frame) ? "now" : "sel", words: pfnName(pick.frame) }] : []),
    ...[...state.changed.frames].map((n) => ({ n, kind: "now", words: pfnName(n) }))];
  return out.filter(({ n }, k) => n < state.rows.role.length && out.findIndex((m) => m.n === n) === k);
}

/** Columns of equal ranges as one path for each part; a part is as high as its share, and at least a pixel. `row` holds roles or verdicts. */
function shares(row, { first, last }, parts, x, y, width, height) {
  const columns = Math.min(128, last - first), pitch = width / columns, d = parts.map(() => ""), line = [];
  for (let c = 0; c < columns; c++) {
    const [from, to] = columnRange(c, columns, first, last), found = row.tally(from, to);
    let top = y + height;
    parts.forEach(([, ...values], k) => {
      const n = values.reduce((sum, value) => sum + found[value], 0), tall = n && Math.max(1, (n / (to - from)) * height);
      top -= tall;
      if (n) d[k] += `M${round(x + c * pitch)} ${round(top)}h${round(pitch * 0.8)}v${round(tall)}h${round(-pitch * 0.8)}Z`;
      if (n && parts[k][0] === "d-share") line.push(`M${round(x + c * pitch)} ${round(top + 0.5)}h${round(pitch * 0.8)}`);
    });
  }
  return [parts.map(([cls], k) => path(cls, d[k])), path("d-held", line.join(""))];
}

const MEMORY_PARTS = [["d-kernel", 1, OTHER], ["d-scratch", 2], ["d-meta", 3, 4, 5], ["d-cached", CACHED, FRESH], ["d-share", HELD], ["d-stale", STALE]]; // of roles
const FILE_PARTS = [["d-cached", 1, 2], ["d-share", 3], ["d-scratch", 4], ["d-stale", UNLISTED, 6, WRONG]]; // of verdicts

const crossMark = (x, y, r) => path("viol-x", `M${round(x - r)} ${round(y - r)}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`);

/** A strip that shows where a range lies in a wider one: a slider, to be dragged or moved by keys. */
function bar(which, first, name, words, L, y, from, to, whole, kids) {
  const at = (n) => L.G + (n / whole) * 16 * L.P, [a, b] = [at(from), at(to)], wide = Math.max(6, b - a), x = clamp((a + b - wide) / 2, L.G, L.G + 16 * L.P - wide);
  return h("g", { class: "bar", "data-bar": which, ...(first && { role: "slider", tabindex: 0, "aria-label": name, "aria-valuemin": 0, "aria-valuemax": whole - 1, "aria-valuenow": from, "aria-valuetext": words }) },
    rect("ground", L.G, y, 16 * L.P, BAR), kids, rect("bracket", x, y - 1.5, wide, BAR + 3, 2));
}

function memoryBar(state, L, range, marks, first) {
  const whole = range.last - range.first, words = `Frames ${pfnName(L.first)} to ${pfnName(L.last - 1)}`;
  return [h("g", { class: "axis", "aria-hidden": "true" }, text("gut", gutterEnd(L), range.y + BAR - 3, first ? "all" : hex(range.first, L.digits))),
    bar(`memory ${range.first} ${range.last}`, first, "Frames in view", words, L, range.y, L.first - range.first, L.last - range.first, whole, [
      shares(state.rows.role, range, MEMORY_PARTS, L.G, range.y, 16 * L.P, BAR),
      marks.filter(({ n }) => n >= range.first && n < range.last).reverse().map(({ n, kind }) => {
        const x = shareX(L, n, range);
        return kind === "bad" ? crossMark(x, range.y + BAR / 2, 3) : path(`pin ${kind}`, `M${round(x)} ${range.y - 1}v${BAR + 2}`);
      })])];
}

/** The whole of a long file, judged page by page: dots, then shares. */
function fileBar(story, state, L, pick, base) {
  const pages = filePages(L, story), last = Math.min(base + L.columns, pages.last), y = 2;
  const bad = [UNLISTED, 6, WRONG].flatMap((v) => state.rows.verdict.find(v, MANY));
  const changed = [...state.changed.cache, ...state.changed.blocks], pins = [...changed.map((i) => [i, "now"]), ...(pick.block >= 0 ? [[pick.block, "sel"]] : [])];
  return [h("g", { class: "axis", "aria-hidden": "true" }, text("gut", gutterEnd(L), y + BAR - 3, "file")),
    bar("file 0 0", true, "Blocks in view", `Blocks ${base} to ${last - 1} of ${story.pages}`, L, y, base, last, pages.last, [
      shares(state.rows.verdict, { first: 0, last: Math.min(pages.last, state.rows.verdict.length) }, FILE_PARTS, L.G, y, 16 * L.P, BAR),
      pins.map(([i, kind]) => path(`pin ${kind}`, `M${round(shareX(L, i, pages))} ${y - 1}v${BAR + 2}`)), bad.map((i) => crossMark(shareX(L, i, pages), y + BAR / 2, 3))])];
}

function fileGrid(story, state, L, pick, base, ui) {
  const n = Math.min(L.columns, story.doc.machine.file_pages - base), X = (i) => columnX(L, i, base), mid = gutterEnd(L);
  const gutter = (y, a, b) => [text("gut", mid, y + L.S / 2 - 1.5, a), text("gut", mid, y + L.S / 2 + 9.5, b)];
  const columns = range(n).map((k) => base + k), tab = (kind) => (columns.includes(ui.tab[kind]) ? ui.tab[kind] : base);
  return h("g", {},
    h("g", { class: "axis", "aria-hidden": "true" },
      columns.map((i) => text(i === pick.block ? "on" : i % 2 ? "odd" : "", X(i) + L.P / 2, L.axis, i)), text("gut", mid, L.axis, "block"),
      gutter(L.cache, "page", "cache"), gutter(L.blocks, "block", "list")),
    h("g", {}, grounds(state, L, base, n, story.doc.machine.page_size)),
    h("g", { role: "grid", "aria-label": "File: page cache and block list" },
      h("g", { role: "row", "aria-label": "Page cache" }, columns.map((i) => slotCell(story, state, L, i, X(i), pick, tab("cache")))),
      h("g", { role: "row", "aria-label": "Block list" }, columns.map((i) => blockCell(state, L, i, X(i), pick, tab("block"))))));
}

/** Strip grounds: grey inside the file, a base line beyond its end. */
function grounds(state, L, base, n, page) {
  const right = L.G + n * L.P;
  return [[L.cache, SIZE.i_size], [L.blocks, SIZE.mirror]].map(([y, which]) => {
    const x = sizeX(L, state.rows.sizes.at(which), page, base, right);
    const seps = range(n).slice(1).map((k) => L.G + k * L.P).filter((s) => s < x - 2).map((s) => `M${s} ${y + 4}v${L.S - 8}`).join("");
    return [path("ground", `M${L.G} ${y}H${x}V${y + L.S}H${L.G}Z`), path("sep", seps), path("base", `M${x} ${y + L.S - 0.5}H${right}`)];
  });
}

const sizeX = (L, bytes, page, base, right) => round(clamp(L.G + (Math.max(0, bytes) / page - base) * L.P, L.G, right));
const cellAttrs = (kind, n, label, selected, focus) =>
  ({ role: "gridcell", "aria-label": label, "aria-selected": selected ? "true" : "false", tabindex: focus ? 0 : -1, "data-cell": `${kind} ${n}` });

/** What slot i and its block name, as [look, words], or null. What does not fit is told on hover. */
function slotLabels({ rows: { cache, blocks, verdict, role } }, L, i) {
  const c = cache.at(i), b = blocks.at(i), kind = slotKind(VERDICT[verdict.at(i)]), fits = (n) => n >= 0 && slotWidth(L, hex(n)) + 2 <= L.P; // else numbers would run into one
  return {
    cache: fits(c) ? [role.at(c) === FRESH ? "fresh" : "cached", hex(c)] : c <= -2 ? ["swap", `s${-c - 2}`] : null,
    blocks: fits(b) ? [kind, hex(b)] : kind === "lost" ? ["lost", "–"] : null,
  };
}

const slotWidth = (L, words) => words.length * (L.tight ? 6 : 6.6);

function fileLabels(story, state, L, base) {
  const n = Math.min(L.columns, story.doc.machine.file_pages - base);
  return h("g", { "aria-hidden": "true", class: "labels" }, range(n).map((k) => {
    const labels = slotLabels(state, L, base + k), x = L.G + (k + 0.5) * L.P;
    return ["cache", "blocks"].map((strip) => labels[strip] && text(`t-${labels[strip][0]} mono`, x, L[strip] + L.S / 2 + 4, labels[strip][1]));
  }), unknown(state) && [rect("f-unclaimed", L.G + 1, L.blocks + 0.5, n * L.P - 2, L.S - 1, 3), text("ax", L.G + (n * L.P) / 2, L.blocks + L.S / 2 + 4, VERDICT_WORDS[UNKNOWN])]);
}

const unknown = (state) => state.rows.verdict.at(0) === UNKNOWN; // a kernel that has not found the handover
const slotKind = (verdict) => ({ held: "held", stale: "stale", disagree: "stale", unlisted: "lost" })[verdict] ?? "ref";

function slotName(story, { rows, changed, differs }, i) {
  const c = rows.cache.at(i), dirty = c >= 0 && has(rows.flags.at(c), story.doc.machine.flags?.dirty ?? 0);
  const words = c >= 0 ? [`frame ${pfnName(c)}`, rows.role.at(c) !== FRESH ? "uptodate" : "not uptodate", dirty && "dirty"] : [c <= -2 ? `swap entry ${-c - 2}` : "empty"];
  return [`Page cache ${i}`, ...words, changed.cache.has(i) && "changed in this step", differs?.cache.has(i) && "differs from the other future"].filter(Boolean).join(", ");
}

function slotCell(story, state, L, i, x, pick, tab) {
  const { rows } = state, c = rows.cache.at(i), y = L.cache, flags = story.doc.machine.flags ?? {};
  const dirty = c >= 0 && has(rows.flags.at(c), flags.dirty), uptodate = c >= 0 && rows.role.at(c) !== FRESH;
  return h("g", cellAttrs("cache", i, slotName(story, state, i), pick.block === i, tab === i),
    rect("hitbox", x, y, L.P, L.S),
    c >= 0 && [rect(uptodate ? "f-cached" : "f-fresh", x + 1, y + 0.5, L.P - 2, L.S - 1, 3),
      !uptodate && path("comb", comb(x + 6, y + L.S - 3, L.P - 12, 0xa5)),
      dirty && rect(uptodate ? "dirty" : "dirty fresh", x + L.P / 2 - 5, y + L.S - 5, 10, 1.5)],
    c <= -2 && rect("f-swap", x + 1, y + 0.5, L.P - 2, L.S - 1, 12));
}

function blockName({ rows, changed, differs }, i) {
  const b = rows.blocks.at(i), v = rows.verdict.at(i), judged = b >= 0 || v === UNLISTED;
  const words = b >= 0 ? `frame ${pfnName(b)}` : v === UNKNOWN ? VERDICT_WORDS[UNKNOWN] : "empty";
  return [`Block ${i}`, words, judged && VERDICT_WORDS[v], changed.blocks.has(i) && "changed in this step", differs?.blocks.has(i) && "differs from the other future"].filter(Boolean).join(", ");
}

function blockCell(state, L, i, x, pick, tab) {
  const b = state.rows.blocks.at(i), v = VERDICT[state.rows.verdict.at(i)], y = L.blocks, kind = slotKind(v);
  return h("g", cellAttrs("block", i, blockName(state, i), pick.block === i, tab === i),
    rect("hitbox", x, y, L.P, L.S),
    (b >= 0 || v === "unlisted") && [rect(`f-${kind}`, x + 1, y + 0.5, L.P - 2, L.S - 1, 3),
      kind === "held" && path("hatch", hatch(x + 1, y, L.P - 2, L.S, 6, 2)),
      kind === "stale" && path("cross", `M${x + 4} ${y + 3}L${x + L.P - 4} ${y + L.S - 3}`)]);
}

/** Both sizes as dimension lines and one end-of-file line through both strips: straight when they agree, with a jog when not. */
function rulers(story, state, L, pick, base) {
  const [size, mirror] = state.rows.sizes.slice(0, 2), page = story.doc.machine.page_size, G = L.G;
  const right = G + Math.min(L.columns, story.doc.machine.file_pages - base) * L.P;
  if (size < 0 && mirror < 0) return null;
  const xe = sizeX(L, size < 0 ? mirror : size, page, base, right), xk = sizeX(L, mirror < 0 ? size : mirror, page, base, right);
  const agree = mirror < 0 || size < 0 || mirror === size, call = !!state.call && state.t < state.call[3];
  const middle = L.blocks - 1, [a, b] = [Math.min(xe, xk), Math.max(xe, xk)];
  const high = size < 0 ? L.blocks - 1 : L.ruler - 5, low = mirror < 0 ? L.blocks - 1 : L.mirror + 5;
  const aside = (x, strip) => { // where it would strike a number through, the line stops and goes on below
    const k = Math.floor((x - G) / L.P), label = slotLabels(state, L, base + k)[strip], off = Math.abs(x - G - (k + 0.5) * L.P);
    return label && x < right && off < L.P / 2 && off < slotWidth(L, label[1]) / 2 + 2 ? `V${L[strip] + 5}M${x} ${L[strip] + L.S - 5}` : "";
  };
  return h("g", { class: "rulers", "aria-hidden": "true" },
    !agree && path(`gap ${state.bad.length ? "bad" : ""}`, `M${a} ${L.cache}H${b}V${L.blocks + L.S}H${a}Z`),
    size >= 0 && path("rule", `M${G} ${L.ruler - 3}v6M${G} ${L.ruler}H${xe}`), mirror >= 0 && path("rule", `M${G} ${L.mirror - 3}v6M${G} ${L.mirror}H${xk}`),
    path(`eof ${agree ? "" : call && !state.bad.length ? "off" : "bad"}`, `M${xe} ${high}${size < 0 ? "" : aside(xe, "cache")}V${middle}H${xk}${mirror < 0 ? "" : aside(xk, "blocks")}V${low}`),
    size >= 0 && dimension(L, xe, L.ruler, `i_size ${size}`, state.changed.size),
    mirror >= 0 && dimension(L, xk, L.mirror, `kho i_size ${mirror}`, state.changed.mirror, namer(state, pick) ? leaderX(L, namer(state, pick), pick.block, base) : -99),
    state.changed.size && h("circle", { class: "dot-now", cx: xe, cy: L.ruler, r: 3.5 }),
    state.changed.mirror && h("circle", { class: "dot-now", cx: xk, cy: L.mirror, r: 3.5 }));
}

/** The value in the break of its dimension line; beside the line where the line is too short. */
function dimension(L, x, y, words, now, leader = -99) {
  const w = words.length * (L.tight ? 5.6 : 6.2), room = x - L.G > w + 24, left = x + 8;
  const passes = (from) => leader > from - 6 && leader < from + w + 6, before = x - 10 - w; // the leader passes: stand beside it
  const inside = !passes(before) ? before : leader - 10 - w > L.G + 8 ? leader - 10 - w : leader + 10, beyond = passes(left) ? leader + 8 : left;
  const cx = (room ? inside : Math.min(beyond, L.W - w)) + w / 2;
  return [room && rect("knock", cx - w / 2 - 4, y - 6, w + 8, 12), text(`size ${now ? "now" : ""}`, cx, y + 4, words)];
}

function memoryAxis(L) {
  const step = L.level === "cell" ? 1 : 8, middle = L.level === "cell" ? L.C / 2 + 4 : 8, odd = L.dense ? 4 : 1;
  return h("g", { class: "axis", "aria-hidden": "true" },
    L.level === "cell" && range(L.perRow).filter((i) => i % odd === 0).map((i) => text("", L.G + i * L.pitch + L.pitch / 2, L.memory - 6, i.toString(16))),
    L.level !== "density" && range(L.rows).filter((r) => r % step === 0).map((r) => text("gut", gutterEnd(L), L.memory + r * L.rowHeight + middle, hex(L.first + r * L.perRow, L.digits))),
    L.level === "density" && [text("gut", gutterEnd(L), L.memory + 10, "share"), text("gut", gutterEnd(L), L.memory + L.rowHeight - 1, "0 %")]);
}

/** The strip whose cell names the picked frame, the block list before the page cache; "" if neither does. */
const namer = ({ rows }, { block, frame }) => (frame < 0 ? "" : ["blocks", "cache"].find((strip) => rows[strip].at(block) === frame) ?? "");

/** Where a leader goes down: from the middle of a block; from the page cache it passes beside what the block says. */
const leaderX = (L, from, block, base) => columnX(L, block, base) + L.P / (from === "blocks" ? 2 : 8);

/** Orthogonal leader: the cell that names the frame, lane, gap between columns, the frame's ring. */
function leader(state, L, pick, base) {
  const strip = namer(state, pick);
  if (!strip || pick.block < base || pick.block >= base + L.columns || !inView(L, pick.frame) || L.level === "density") return null;
  const [fx, fy] = frameXY(L, pick.frame), r = 4, hot = state.changed.frames.has(pick.frame);
  const sx = leaderX(L, strip, pick.block, base), gx = fx - (L.level === "cell" ? (hot ? 3 : 1.5) : -1.5);
  const d = gx > sx ? 1 : -1, to = L.level === "cell" ? fy + 3 : fy - (hot ? 4 : 2), from = L[strip] + L.S + (strip === "blocks" ? 2 : 0);
  const line = Math.abs(gx - sx) > 2 * r
    ? `M${sx} ${from}V${L.lane - r}Q${sx} ${L.lane} ${sx + d * r} ${L.lane}H${gx - d * r}Q${gx} ${L.lane} ${gx} ${L.lane + r}V${to}`
    : `M${sx} ${from}V${L.lane}L${gx} ${L.lane + 6}V${to}`;
  const bad = state.rows.verdict.at(pick.block) >= 6;
  return h("g", { "aria-hidden": "true" }, path("lead halo", line), path(`lead ${bad ? "bad" : ""}`, line));
}

function memory(story, state, L, ui) {
  const { machine } = story.doc, some = L.last - L.first < machine.frames, pick = resolve(state, ui.selection);
  const name = `Physical memory, ${machine.frames} frames${some ? `; in view ${pfnName(L.first)} to ${pfnName(L.last - 1)}` : ""}`;
  if (L.level !== "cell") return h("g", { role: "img", "aria-label": `${name}: ${tally(state.rows.role.tally(L.first, L.last))}` }, L.level === "dot" ? dots(state, L, ui.bits) : density(state, L, pick, ui.bits));
  const tab = inView(L, ui.tab.frame) ? ui.tab.frame : L.first;
  return h("g", { role: "grid", "aria-label": name }, range(L.rows).map((r) => h("g", { role: "row" }, range(L.perRow).map((c) => {
    const n = L.first + L.perRow * r + c;
    if (n >= L.last) return null;
    return frameCell(n, frameXY(L, n), L.C, frameFacts(state, n, machine), frameName(state, n, machine), pick.frame === n, tab === n);
  }))));
}

const CELLS = new Map(), MOST_CELLS = 8192; // a cell that says what one said before is the same object, and `mend` passes it by

function frameCell(n, [x, y], size, q, name, selected, focus) {
  const key = [n, x, y, size, q.label, q.comb, selected, focus, name].join();
  if (CELLS.size > MOST_CELLS) CELLS.clear();
  if (!CELLS.has(key)) CELLS.set(key, h("g", cellAttrs("frame", n, name, selected, focus), frameMarks(q, x, y, size)));
  return CELLS.get(key);
}

/** Frames by role, in words. */
function tally(found) {
  return ROLE.map((name, r) => [found[r], ROLE_WORDS[name]]).filter(([n]) => n).map(([n, words]) => `${amount(n)} ${words}`).join(", ");
}

/** To 8,192 frames: runs as bars, held as hairlines; one path for each kind, however many runs. */
function dots(state, L, bits) {
  const d = {}, draw = (cls, row, to, r) => { d[cls] = (d[cls] ?? "") + r(row, to); };
  const bar = (first, end) => { const [x, y] = frameXY(L, first); return `M${round(x)} ${y + 1.5}h${round((end - first) * L.pitch - 0.75)}`; };
  const lines = range(L.rows).map((r) => [L.first + r * L.perRow, Math.min(L.last, L.first + (r + 1) * L.perRow)]);
  for (const line of lines) for (const [first, end, r] of state.rows.role.runs(...line)) {
    const name = ROLE[r];
    if (r !== FREE && r !== UNCLAIMED) draw(r === HELD ? "d-held" : `d-${GLYPH[name] ? "meta" : name}`, first, end, bar);
  }
  if (bits) for (const line of lines) for (const [first, end, set] of state.rows.bit.runs(...line)) if (set) draw("d-bit", first, end, bar);
  return [rect("ground", L.G, L.memory, L.perRow * L.pitch, L.rows * L.rowHeight), Object.entries(d).map(([cls, marks]) => path(cls === "d-held" || cls === "d-bit" ? cls : `dots-of ${cls}`, marks))];
}

/** Beyond: 128 columns of equal frame ranges; height is the share of each owner, free is the ground. */
function density(state, L, pick, bits) {
  const box = [L.G, L.memory, 16 * L.P, L.rowHeight];
  return [rect("ground", ...box), shares(state.rows.role, L, MEMORY_PARTS, ...box), bits && bitLine(state, L), path("base", `M${L.G} ${L.memory + L.rowHeight}h${16 * L.P}`), shareMarks(L, marked(state, pick))];
}

/** The share of frames with a PFN bit, as one line over the columns. */
function bitLine(state, L) {
  const level = range(L.perRow).map((c) => { const [a, b] = columnRange(c, L.perRow, L.first, L.last); return state.rows.bit.tally(a, b)[1] / (b - a); });
  return path("d-bit", level.map((share, c) => `${c ? "L" : "M"}${round(L.G + c * L.pitch)} ${round(L.memory + L.rowHeight * (1 - share))}h${round(L.pitch)}`).join(""));
}

const WIDE = 7.6; // of a bold character, in the widest fallback font

/** Places for labels around marks, each the first that is free. `spots(mark, w)` are left ends and base lines to try; a label without a place goes. */
function placed(marks, L, spots) {
  const taken = [], right = L.G + 16 * L.P;
  return marks.map((mark) => {
    const w = mark.words.length * WIDE, free = ([x, y]) => x >= L.G && x + w <= right && taken.every(([a, b, c]) => x > b + 4 || x + w < a - 4 || Math.abs(y - c) > 11);
    const spot = spots(mark, w).find(free);
    if (spot) taken.push([spot[0], spot[0] + w, spot[1]]);
    return { ...mark, spot };
  });
}

const markLabel = ({ spot, kind, words }) => spot && text(`mark-t ${kind}`, spot[0], spot[1], words);

/** Rings and labels of single frames among dots. */
function dotMarks(L, marks) {
  const shown = placed(marks.filter(({ n }) => inView(L, n)), L, ({ n }, w) => {
    const [x, y] = frameXY(L, n);
    return [[x + 12, y + 5], [x - 10 - w, y + 5], [x + 12, y + 17], [x - 10 - w, y + 17], [x + 12, y - 7], [x - 10 - w, y - 7]];
  });
  return h("g", { class: "marks", "aria-hidden": "true" }, shown.map((mark) => {
    const [x, y] = frameXY(L, mark.n);
    return [h("circle", { class: `ring-${mark.kind}`, cx: round(x + 1.5), cy: y + 1.5, r: 6 }), markLabel(mark)];
  }));
}

/** Crosses, pins and labels of single frames under their columns. */
function shareMarks(L, marks) {
  const y = L.memory + L.rowHeight, shown = placed(marks.filter(({ n }) => inView(L, n)), L, ({ n }, w) => {
    const x = shareX(L, n, L);
    return [[x + 9, y + 13], [x - 9 - w, y + 13], [x + 9, y + 26], [x - 9 - w, y + 26]];
  });
  return h("g", { class: "marks", "aria-hidden": "true" }, shown.map((mark) => {
    const x = shareX(L, mark.n, L);
    return [path(`pin ${mark.kind}`, `M${round(x)} ${L.memory}V${y + 4}`), mark.kind === "bad" ? crossMark(x, y + 9, 4) : h("circle", { class: `ring-${mark.kind}`, cx: round(x), cy: y + 9, r: 4 }), markLabel(mark)];
  }));
}

/** Rings stack outward: selected, changed, focus. What is no cell is marked elsewhere. */
function rings(state, L, pick, base, ui) {
  const out = [], { changed } = state, inWindow = (i) => i >= base && i < base + L.columns, close = L.narrow || L.dense;
  const frameRing = (cls, n, grow, rx) => {
    if (!inView(L, n) || L.level === "density") return;
    const [x, y] = frameXY(L, n);
    out.push(rect(cls, x - grow, y - grow, L.C + 2 * grow, L.C + 2 * grow, rx));
  };
  const strip = (cls, i, y, grow) => inWindow(i) && out.push(rect(cls, columnX(L, i, base) - grow, y - grow, L.P + 2 * grow, L.S + 2 * grow, 5));
  if (L.level === "cell") for (const n of changed.frames) frameRing("ring-now", n, close ? 2 : 3, 6);
  const wide = L.tight ? 0 : 1.5; // no room there to stand off
  for (const i of changed.cache) strip("ring-now", i, L.cache, wide);
  for (const i of changed.blocks) strip("ring-now", i, L.blocks, wide);
  if (L.level === "cell" && !changed.frames.has(pick.frame)) frameRing("ring-sel", pick.frame, 1.5, 4.5);
  const row = namer(state, pick) || "blocks"; // where the leader begins
  if (pick.block >= 0 && !changed[row].has(pick.block)) strip("ring-sel", pick.block, L[row], L.tight ? 0 : 0.5);
  for (const [cls, spot] of [["ring-hover", ui.hover], ["ring-focus", ui.focus]]) {
    if (!spot) continue;
    const focus = cls === "ring-focus";
    if (spot.kind === "range") out.push(rect(cls, L.G + ((spot.n - L.first) / (L.last - L.first)) * 16 * L.P, L.memory, L.pitch, L.rowHeight, 2));
    else if (spot.kind === "frame") frameRing(cls, spot.n, focus ? (close ? 3 : 5) : 1.5, L.level === "cell" ? 7 : 2);
    else strip(cls, spot.n, spot.kind === "cache" ? L.cache : L.blocks, focus ? 3.5 : 0.5);
  }
  return h("g", { class: "rings", "aria-hidden": "true" }, state.differs && cropMarks(state.differs, L, base), out);
}

/** Four corners around each cell in which two futures differ. */
function cropMarks({ frames, cache, blocks }, L, base) {
  const crop = (x, y, w, h) => `M${x} ${y + 5}V${y}H${x + 5}M${x + w - 5} ${y}H${x + w}V${y + 5}M${x + w} ${y + h - 5}V${y + h}H${x + w - 5}M${x + 5} ${y + h}H${x}V${y + h - 5}`;
  const slots = (set, y) => [...set].filter((i) => i >= base && i < base + L.columns).map((i) => crop(columnX(L, i, base) + 0.5, y + 0.5, L.P - 1, L.S - 1));
  const cells = L.level === "cell" ? [...frames].filter((n) => inView(L, n)).map((n) => frameXY(L, n)).map(([x, y]) => crop(x - 1.5, y - 1.5, L.C + 3, L.C + 3)) : [];
  return [...slots(cache, L.cache), ...slots(blocks, L.blocks), ...cells].map((d) => [path("crop halo", d), path("crop", d)]);
}

const KEY = [["cached", CACHED], ["not uptodate", FRESH], ["held", HELD], ["KHO", 4], ["kernel", 1], ["scratch", 2], ["other", OTHER], ["stale", STALE]];
const KEY_MORE = { KHO: "F the KHO FDT, B the PFN bitmap, I a KHO inode", freed: "The ticks are the bits of 0xAA, which fills a freed frame", "not uptodate": "The ticks are the bits of 0xA5, which a new frame is painted with",
  scratch: "Kept free for the next kernel", other: "Allocated by another owner", "PFN bit": "The next kernel must not touch the frame" };

/** The words and marks, each mark 16 wide, of what this story ever shows; it stays the same from step to step. */
function keyMarks(story, L) {
  const mark = (q) => (L.level === "cell" ? frameMarks({ label: "", bit: false, comb: 0, ...q }, 1, 1, 14) : barMark(q));
  const { roles, freed } = story.seen, kho = roles[3] || roles[5];
  const items = KEY.filter(([, r]) => (roles[r] || (r === 4 && kho)) && (L.level === "cell" || (r !== FRESH && r !== OTHER)));
  const marks = items.map(([words, r]) => [words, { role: r, comb: r === FRESH ? 0xa5 : 0 }]);
  if (L.level === "cell") marks.push(...(freed ? [["freed", { role: FREE, comb: 0xaa }]] : []), ["PFN bit", { role: FREE, bit: true }]);
  return marks.map(([words, q]) => [words, mark(q)]);
}

const KEYED = 108; // from one mark to the next, with the longest words in the widest fallback font

/** The key in rows of `columns`, for a picture. */
function keyGrid(story, L, columns) {
  const all = keyMarks(story, L);
  return { height: Math.ceil(all.length / columns) * 18, kids: all.map(([words, marks], k) =>
    h("g", { transform: `translate(${(k % columns) * KEYED} ${Math.floor(k / columns) * 18})` }, marks, text("cap", 20, 12, words))) };
}

function key(story, L) {
  const marks = keyMarks(story, L), most = L.narrow ? 99 : 7; // one line; the help has all
  const spare = ["freed", "not uptodate", "other"].filter((name) => marks.some(([words]) => words === name)).slice(0, Math.max(0, marks.length - most));
  const all = marks.filter(([words]) => !spare.includes(words));
  return h("ul", { class: "key", "aria-label": "Key", style: L.narrow ? null : `grid-template-columns:repeat(${all.length},auto)` }, all.map(([words, marks]) =>
    h("li", { title: KEY_MORE[words] }, h("svg", { width: 15, height: 15, viewBox: "0 0 16 16", "aria-hidden": "true" }, marks), words)));
}

/** A part of a density or a run of dots, for the key. */
function barMark({ role }) {
  const cls = MEMORY_PARTS.find(([, ...roles]) => roles.includes(role))[0];
  return [rect("ground", 1, 1, 14, 14), cls === "d-share" ? [rect("d-share", 1, 6, 14, 9), path("d-held", "M1 6h14")] : rect(cls, 1, 6, 14, 9)];
}

/** One quiet line: what lies under the pointer or has the focus, else how memory is shared out. */
function below(story, state, ui) {
  const spot = ui.hover ?? ui.focus;
  return h("p", { class: `below quiet ${story.doc.machine.frames > 256 ? "long" : ""}` }, spot ? spotWords(story, state, spot) : shareWords(state));
}

function shareWords({ rows: { role } }) {
  const found = role.tally(), sum = (roles) => roles.reduce((n, r) => n + found[r], 0), words = ([name, ...roles]) => `${name} ${amount(sum(roles))}`;
  const main = [["free", FREE], ["cached", CACHED, FRESH], ["held", HELD], ["KHO", 3, 4, 5]].map(words);
  const rest = [["kernel", 1], ["scratch", 2], ["stale", STALE], ["other", OTHER], ["unclaimed", UNCLAIMED]].filter(([, r]) => found[r]).map(words);
  return `${main.join(", ")} of ${amount(role.length)}; ${rest.join(", ")}`;
}

function spotWords(story, state, { kind, n, last }) {
  if (kind === "frame") return frameName(state, n, story.doc.machine);
  if (kind === "cache") return slotName(story, state, n);
  if (kind === "block") return blockName(state, n);
  return `Frames ${pfnName(n)} to ${pfnName(last - 1)}: ${tally(state.rows.role.tally(n, last))}`;
}

/** Which frames and blocks are in view, and buttons that change that. A small machine with a short file has none. */
export function ranges(story, state, ui, L, pick) {
  const { frames } = story.doc.machine, all = zooms(frames), base = baseOf(L, ui, pick), big = all.length > 1;
  if (!big && !L.bar) return null;
  const outside = marked(state, pick).filter(({ n }) => !inView(L, n)).slice(0, 2);
  return h("div", { class: `ranges ${L.bar || L.bars.length ? "two" : ""}` },
    big && h("div", { class: "btns", role: "group", "aria-label": "Frames in view" }, h("span", { class: "lab" }, "frames"),
      all.map((zoom, k) => button({ class: "txt", "data-zoom": zoom, "aria-pressed": zoom === L.zoom ? "true" : "false" }, k === all.length - 1 ? "all" : amount(zoom))),
      control("panBack", "‹", { off: L.first === 0 }), control("pan", "›", { off: L.last === frames })),
    L.bar > 0 && h("div", { class: "btns", role: "group", "aria-label": "Blocks in view" }, h("span", { class: "lab" }, `blocks ${base}–${Math.min(base + L.columns, story.doc.machine.file_pages) - 1}`),
      control("blocksBack", "‹", { off: base === 0 }), control("blocks", "›", { off: base + L.columns >= filePages(L, story).last })),
    L.level !== "cell" && button({ class: "txt", "data-act": "bits", "aria-pressed": ui.bits ? "true" : "false" }, "PFN bits"),
    big && outside.map(({ n, kind, words }) => button({ class: `txt show ${kind}`, "data-show": n }, `show ${words}`)),
    L.bar > 0 && pick.block >= 0 && (pick.block < base || pick.block >= base + L.columns) && button({ class: "txt show", "data-act": "showBlock" }, `show block ${pick.block}`));
}

/** Every control: its name, and its keys as a reader says them. The buttons, the keyboard and the help are made from this. */
const CONTROLS = {
  stepBack: ["Step back", "Left"], step: ["Step forward", "Right"],
  endBack: ["First step", "Home"], end: ["Last step", "End"],
  play: ["Play or pause", "Space"],
  callBack: ["Previous call", "PageUp"], call: ["Next call", "PageDown"],
  overBack: ["Step back over", "Shift+O"], over: ["Step over", "O"],
  outBack: ["Step back out", "Shift+U"], out: ["Step out", "U"],
  violationBack: ["Previous violation", "Shift+V"], violation: ["Next violation", "V"],
  kexecBack: ["Previous kexec", "Shift+K"], kexec: ["Next kexec", "K"],
  changeBack: ["Previous change of what is selected", "Shift+Left"], change: ["Next change of what is selected", "Shift+Right"],
  pin: ["Pin this step, for print and sharing", "P"], share: ["Share this figure", "E"], help: ["Keys and marks", "?"],
  zoomIn: ["Fewer frames in view", "+"], zoomOut: ["More frames in view", "-"],
  panBack: ["Earlier frames", "["], pan: ["Later frames", "]"],
  blocksBack: ["Earlier blocks", ","], blocks: ["Later blocks", "."],
  clear: ["Close, or select nothing", "Escape"],
};
const KEYS = Object.fromEntries(Object.entries(CONTROLS).map(([act, [, key]]) => [key, act]));

/** A key press as `CONTROLS` says it: Shift+O, Left, Space. */
export function keyName({ key, shiftKey }) {
  if (key === " ") return "Space";
  const shift = shiftKey && (key.length > 1 || key !== key.toLowerCase() || /[a-z]/.test(key)) ? "Shift+" : "";
  return shift + (key.length > 1 ? key.replace("Arrow", "") : key.toUpperCase());
}

/** A button for a control; `kids` is what it shows, `off` whether it leads nowhere now. */
function control(act, kids, { off, name = CONTROLS[act][0], ...attrs } = {}) {
  const keys = CONTROLS[act][1];
  return button({ "data-act": act, "aria-label": name, title: `${name} (${keys.replace("Shift+", "Shift ")})`,
    "aria-keyshortcuts": keys.replace(/(Left|Right)$/, "Arrow$1"), "aria-disabled": off ? "true" : null, ...attrs }, kids);
}

const icon = (name) => h("svg", { width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" }, h("path", { d: ICON[name] }));

/** The row of buttons. What stands right of the dots is either the title and the changes, or more ways to step: no button ever moves. */
export function transport(story, ui, last, selection, to) {
  const basic = (act, picture) => control(act, icon(picture), { off: to[act] == null });
  return h("div", { class: `transport ${ui.more ? "more" : ""}` },
    h("div", { class: "btns basic", role: "group", "aria-label": "Transport" },
      basic("endBack", "first"), basic("stepBack", "prev"),
      control("play", icon(ui.playing ? "pause" : "play"), { class: "play", name: ui.playing ? "Pause" : "Play" }),
      basic("step", "next"), basic("end", "last")),
    h("span", { class: "count" }, "Step ", h("b", { style: `min-width:${String(last).length}ch` }, String(ui.t)), ` of ${last}`),
    button({ class: "dots3", "data-act": "more", "aria-label": "More ways to step", title: "More ways to step", "aria-expanded": String(ui.more) }, icon("more")),
    h("span", { class: "title", title: story.doc.title }, story.doc.title),
    ui.more ? moreWays(to) : selection && changeButtons(selection, to));
}

const MORE = [["call", "call"], ["over", "over"], ["out", "out"], ["violation", "violation"], ["kexec", "kexec"]];

function moreWays(to) {
  return h("div", { class: "ways" }, MORE.map(([act, words]) => h("div", { class: `way ${act}`, role: "group", "aria-label": words },
    control(`${act}Back`, "‹", { off: to[`${act}Back`] == null }), h("span", { "aria-hidden": "true" }, words), control(act, "›", { off: to[act] == null }))));
}

function changeButtons({ kind, n }, to) {
  const name = kind === "frame" ? pfnName(n) : `block ${n}`, full = kind === "frame" ? `frame ${name}` : name;
  const change = (act, side, words) => control(act, words, { class: "txt", off: to[act] == null, name: `${side} change of ${full}` });
  return h("div", { class: "btns sel", role: "group", "aria-label": `Changes of ${full}` },
    h("span", { class: "lab" }, h("span", { class: "of" }, "changes of "), h("span", { class: kind === "frame" ? "mono" : null }, name)),
    change("changeBack", "Previous", "‹ previous"), change("change", "Next", "next ›"));
}

/** What a step says, and at the end what ended the run before its time. */
function spoken(story, state) {
  const words = [state.say || (state.t === 0 ? "Before the first step." : ""), fatal(story, state)].filter(Boolean).join(" ");
  return /^[a-z]\w*_/.test(words) ? words : words.charAt(0).toUpperCase() + words.slice(1); // identifiers keep their case
}

const fatal = (story, state) => (state.t === story.last ? story.doc.failure : "");

function sentence(story, state, ui) {
  const end = fatal(story, state);
  return h("div", { class: `say ${state.warn || end ? "warn" : ""}` },
    h("p", { role: "status", "aria-live": ui.playing ? "off" : "polite", "aria-atomic": "true" },
      h("b", {}, end ? "END" : state.warn ? "WARN" : state.cpu, h("i", { class: "mono" }, state.call ? state.call[1] : "")), h("span", {}, spoken(story, state))));
}

/** What is violated at a step, in sentences. */
const violated = (state) => state.bad.map((v) => `Violated: ${nameOf(v).toLowerCase()}. ${detailOf(v)}`).join(" ");

const nameOf = (violation) => violation.split(":")[0];

/** What is wrong, as a sentence; the name of a file keeps its case. */
function detailOf(violation) {
  const words = violation.slice(nameOf(violation).length + 1).trim().replace(/^(block|frame|page|inode|byte) /, (w) => w[0].toUpperCase() + w.slice(1));
  return words && !words.endsWith(".") ? `${words}.` : words;
}

const LONG = 14; // a name with more characters has a row of its own

/** All invariants: a cross and a sentence where one is violated, a ring where a call has yet to return, a tick where one holds. */
function lamps(story, state) {
  const all = story.doc.invariants, bad = [...new Set(state.bad.map(nameOf))];
  if (!all.length && !bad.length) return null;
  const mark = (d, size, label) => h("svg", { width: size, height: size, viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": label }, h("path", { d }));
  const statement = Object.fromEntries(all), rest = all.map(([name], k) => ({ name, waits: state.pending.includes(k) })).filter(({ name }) => !bad.includes(name));
  const waiting = rest.filter(({ waits }) => waits).length;
  return h("div", { role: "group", class: "lamps", "aria-label": "Invariants" },
    !bad.length && h("h4", {}, "Invariants ", h("span", {}, `${rest.length - waiting} hold${waiting ? `, ${waiting} pending` : ""}`)),
    h("ul", { class: bad.length > 1 ? "many" : null }, bad.map((name) => h("li", { class: "bad", title: statement[name] },
      h("b", {}, mark("M3 3l8 8m0 -8l-8 8", 14, "violated"), `Violated: ${name.toLowerCase()}`), h("span", {}, details(state, name)))),
    rest.map(({ name, waits }) => h("li", { class: `${waits ? "waits" : ""} ${name.length > LONG ? "alone" : ""}`.trim() || null, title: statement[name] },
      waits ? mark("M9 6a3 3 0 1 1 -6 0a3 3 0 1 1 6 0", 12, "pending") : mark("M2.5 6.5l2.5 2.5l4.5 -6", 12, "holds"), name))));
}

function details(state, name) {
  const all = state.bad.filter((v) => nameOf(v) === name);
  return detailOf(all[0]) + (all.length > 1 ? ` And ${all.length - 1} more.` : "");
}

/** The selected frame or block: what it holds, who owns it, and the steps that made it so. */
export function why(story, state, ui) {
  const pick = resolve(state, ui.selection);
  if (pick.frame < 0 && pick.block < 0)
    return h("div", { role: "group", class: "why", "aria-label": "Selected" }, h("h4", {}, "Nothing selected"), h("p", { class: "quiet" }, "Pick a frame or a block to see why it is as it is."));
  const name = pick.frame >= 0 ? `Frame ${pfnName(pick.frame)}` : `Block ${pick.block}`;
  const all = facts(story, state, pick), room = (list) => (ui.L.narrow ? 5 : historyRoom(story, state, list, ui.L));
  const known = room(all) < 2 ? all.filter(([, , bit]) => !bit) : all; // where room is short the history goes first, and the text has the bitmap's word
  const role = pick.frame >= 0 ? ROLE[state.rows.role.at(pick.frame)] : VERDICT[state.rows.verdict.at(pick.block)];
  const tag = alone(state, pick.frame) ? "preserved" : { fresh: "not uptodate", unknown: VERDICT_WORDS[UNKNOWN], fdt: "KHO", bitmap: "KHO", inode: "KHO", other: "allocated" }[role] ?? role;
  return h("div", { role: "group", class: "why", "aria-label": "Selected" },
    h("h4", {}, h("span", { class: "mono" }, name), h("span", { class: `tag ${role}` }, tag)),
    h("dl", {}, known.map(([a, b, bit]) => [h("dt", {}, a), h("dd", { class: bit ? "word" : null }, bit ? [h("span", { class: "mono" }, b), " ", bit] : b)])),
    pick.frame >= 0 && historyList(story, state, pick.frame, clamp(room(known), state.bad.length > 1 ? 0 : 1, 5)));
}

/** How many steps of a history fit beside the figure; the panel gives way, so that nothing below it moves. */
function historyRoom(story, state, known, L) {
  const line = 17, width = L.W - L.G - 16 * L.P - 24, lines = (words, room) => Math.ceil((words.length * 6.7) / room); // the widest fallback font
  const bad = [...new Set(state.bad.map(nameOf))], rest = story.doc.invariants.filter(([name]) => !bad.includes(name));
  const long = rest.filter(([name]) => name.length > LONG).length;
  const block = (name) => 36 + 16 * lines(details(state, name), width - 36);
  const lampRows = (long + Math.ceil((rest.length - long) / 2)) * line + (bad.length ? bad.map(block).reduce((a, b) => a + b) : 17);
  const factRows = known.reduce((sum, [, words]) => sum + line * lines(words, width - 68), 0);
  const room = L.end + 30 - lampRows - 12 - 20 - factRows - 8;
  return Math.floor(room / line);
}

function facts(story, state, { frame, block }) {
  const { rows } = state, { machine } = story.doc, lost = unknown(state), swapped = rows.cache.at(block) <= -2;
  if (frame < 0) return [["cache", swapped ? `swap entry ${-rows.cache.at(block) - 2}` : "empty"], ["block list", lost ? VERDICT_WORDS[UNKNOWN] : "empty"],
    ["reads as", swapped ? "what was swapped out" : lost ? "nobody knows yet" : "zeros"]];
  const role = ROLE[rows.role.at(frame)], i = rows.holds.at(frame), poison = rows.poison.at(frame);
  const flags = Object.entries(machine.flags ?? {}).filter(([name, mask]) => name !== "free" && has(rows.flags.at(frame), mask)).sort((a, b) => a[1] - b[1]).map(([name]) => name);
  const owner = [rows.cache.at(i) === frame && `cache ${i}`, rows.blocks.at(i) === frame && `block ${i}`].filter(Boolean);
  const since = sinceWhen(story, state, frame);
  const told = role !== "stale" && owner.length > (state.bad.length ? 0 : 1); // the owner says it, and room is short
  return [
    !told && ["holds", role === "stale" ? (poison === machine.page_size ? "freed poison" : "another owner's page") : i >= 0 ? `block ${i} of this file` : role === "unclaimed" && lost ? "nobody knows yet" : role === "free" ? "nothing" : alone(state, frame) ? "no block names it" : role === "other" && has(rows.flags.at(frame), machine.flags?.swapbacked ?? 0) ? "a page, not in this file" : ROLE_WORDS[role]],
    owner.length && ["owner", owner.join(", ") + (owner.length === 1 && role !== "cached" ? " only" : "")],
    ["PFN bit", lost ? VERDICT_WORDS[UNKNOWN] : rows.bit.at(frame) ? (since > 0 ? `set since step ${since}` : "set") : "clear"],
    !lost && [`word ${Math.floor(frame / WORD)}`, wordHex(rows.bit, Math.floor(frame / WORD)), `bit ${frame % WORD}`],
    (rows.refs.at(frame) > 0 || role === "cached" || role === "fresh") && ["refs", rows.maps.at(frame) > 0 ? `${rows.refs.at(frame)}, mapped ${rows.maps.at(frame)}` : String(rows.refs.at(frame))],
    flags.length && ["flags", flags.join(" ")],
    ["bytes", preview(state, frame, machine)],
  ].filter((fact) => fact && fact[1] !== "");
}

const WORD = 64; // bits of a word of the PFN bitmap

/** A word of the bitmap in hex; bit 0 is the lowest. */
function wordHex(bits, word) {
  let value = 0n;
  for (let k = 0; k < WORD; k++) if (bits.at(word * WORD + k) > 0) value |= 1n << BigInt(k);
  return value.toString(16).padStart(16, "0");
}

/** The words of the bitmap that are not zero, as many as one reads. */
function bitmapWords({ rows: { bit } }) {
  const words = new Set();
  for (const [first, end, set] of bit.runs()) if (set > 0) for (let w = Math.floor(first / WORD); w * WORD < end; w++) words.add(w);
  const shown = [...words].slice(0, TWIN).map((w) => `${w}: ${wordHex(bit, w)}`);
  return words.size ? `${shown.join("; ")}${words.size > TWIN ? `; and ${amount(words.size - TWIN)} more` : ""}` : "all zero";
}

function sinceWhen(story, state, frame) {
  const known = (k) => story.states[k].rows.role.tally()[BITMAP] > 0; // between two kernels nobody can read the bitmap
  let t = state.t, first = t;
  while (t > 0 && (story.states[t - 1].rows.bit.at(frame) === state.rows.bit.at(frame) || !known(t - 1))) if (known(--t)) first = t;
  return first;
}

/** A page in a few words: its text, or its first bytes; how much of it is still paint. */
function preview(state, n, { page_size: size }) {
  const { bytes, poison, role } = state.rows, paint = role.at(n) === FREE || role.at(n) === STALE ? "0xAA" : "0xA5";
  const painted = poison.at(n) === size ? `all ${size} are ${paint}` : poison.at(n) ? `${poison.at(n)} of ${size} are ${paint}` : "";
  const ours = (role.at(n) >= CACHED && role.at(n) <= HELD) || (role.at(n) === UNCLAIMED && unknown(state));
  if (!ours || !bytes.length || poison.at(n) === size) return painted;
  const page = [...bytes.slice(n * size, (n + 1) * size)];
  if (page.every((b) => b === page[0])) return `all ${size} are 0x${hex(page[0]).toUpperCase()}`;
  const printable = page.findIndex((b) => b < 32 || b > 126), n4 = printable < 0 ? size : printable;
  const shown = n4 >= 1 ? `“${String.fromCharCode(...page.slice(0, Math.min(n4, 18)))}${n4 > 18 ? "…" : ""}”` : page.slice(0, 8).map((b) => hex(b)).join(" ");
  return painted ? `${shown}, ${painted}` : shown;
}

function historyList(story, state, frame, most) {
  const past = most ? biography(story, frame).filter((e) => e.t <= state.t).slice(-most) : [];
  return past.length > 0 && h("ol", { "aria-label": "Changes so far" }, past.map((e) => h("li", { class: e.t === state.t ? "now" : null, "aria-current": e.t === state.t ? "step" : null },
    h("a", { href: "#", "data-go": e.t }, String(e.t)), h("span", {}, h("em", {}, e.call), " ", e.text))));
}

const LINES = 7; // of source shown at a time

/** Source lanes: the CPU that moved, and one that is parked in a call. */
export function code(story, state, ui) {
  const lanes = [{ cpu: state.cpu, stack: state.stack, call: state.call, now: true }];
  for (const cpu of story.cpus) {
    const call = cpu !== state.cpu && callAt(story.doc, state.t, cpu);
    const seen = call && story.states.slice(0, state.t + 1).findLast((s) => s.cpu === cpu);
    if (seen && seen.t >= call[2] && lanes.length < 2) lanes.push({ cpu, stack: seen.stack, call, now: false });
  }
  lanes.sort((a, b) => story.cpus.indexOf(a.cpu) - story.cpus.indexOf(b.cpu));
  return h("div", { class: `code n${lanes.length}` }, lanes.map((lane) => codeLane(story, lane, lanes.length > 1 || ui.narrow, ui)));
}

function codeLane(story, { cpu, stack, call, now }, tight, ui) {
  const depth = now && ui.depth != null ? clamp(ui.depth, 0, stack.length - 1) : stack.length - 1;
  const hint = cpu ? "No path of the kernel is running." : story.last ? "Press Right arrow, or Step forward, to begin." : "Nothing was recorded.";
  const spot = stack[depth], fn = spot && story.doc.functions[spot.fn], source = fn && story.sources[fn.source];
  const top = depth === stack.length - 1, store = (top && spot && source?.lit?.[spot.line]) || null; // the lines that the sentence is about
  const lines = fn ? sourceLines(source?.text ?? [], spot.line, store?.[0]) : [];
  const kind = (n) => (store && store[0] <= n && n <= store[1] ? "lit" : n !== spot?.line ? null : store ? "told" : top ? "lit" : "lit waits");
  const own = lines.map((line) => ({ ...line, kind: kind(line.n), current: line.n === spot.line })), all = [...own, ...callerLines(story, stack[depth - 1], LINES - own.length)];
  const rows = range(LINES).map((k) => all[k] ?? { n: "", text: spot || k !== (LINES - 1) / 2 ? "" : hint });
  return h("div", { role: "group", class: `cpu ${now ? "now" : ""}`, "aria-label": `Source${cpu && `, ${cpu}`}` },
    h("h4", {}, h("b", {}, cpu || "Source"), crumb(story, stack, call, depth, tight)),
    fn ? where(fn) : h("p", { class: "where" }, "\u00a0"),
    h("ol", { class: `src mono ${spot ? "" : "idle"}`, "aria-label": "Source lines", tabindex: ui.narrow ? 0 : null }, rows.map(({ n, text: words, kind = null, current, title }) =>
      h("li", { class: kind, title, "aria-current": current ? "true" : null }, h("i", {}, String(n)), h("code", {}, words)))));
}

/** What is left of the lines shows the caller, at the line that waits. */
function callerLines(story, spot, room) {
  const fn = spot && story.doc.functions[spot.fn], lines = fn && room > 0 ? sourceLines(story.sources[fn.source]?.text ?? [], spot.line, spot.line, room) : [];
  return lines.map((line, k) => ({ ...line, kind: `caller${k ? "" : " begins"}${line.n === spot.line ? " lit waits" : ""}`, title: `The caller, ${fn.name}` }));
}

/** Whose lines these are, and what in Linux they model; the name there only if it is another. */
function where(fn) {
  const [place, name = fn.name] = fn.kernel.split(", "), ours = fn.file.includes("/") ? `khosim/${fn.file}` : `this ${fn.file}`;
  const theirs = place && `Linux: ${name === fn.name ? "" : `${name}, `}${place}`;
  return h("p", { class: "where mono", title: [ours, theirs].filter(Boolean).join(", ") }, h("span", { class: "ours" }, ours), theirs && [h("i", {}, " \u00b7 "), h("span", {}, theirs)]);
}

/** At most `most` lines of a function, given as pieces [first line, text], around the one that runs, and if there is room from line `first` on. */
function sourceLines(pieces, line, first = line, most = LINES) {
  const all = pieces.flatMap(([start, words]) => words.split("\n").map((s, k) => ({ n: start + k, text: s })));
  const lit = Math.max(0, all.findIndex((l) => l.n === line)), store = Math.max(0, all.findIndex((l) => l.n === first));
  const from = lit < most - 1 ? 0 : Math.max(lit - most + 1, Math.min(store, lit - Math.ceil(most / 2), all.length - most));
  return all.slice(from, from + most);
}

/** The call stack as a path; the middle gives way when it is long. Each function is a button that shows its line. */
function crumb(story, stack, call, depth, tight) {
  const names = stack.map(({ fn }) => story.doc.functions[fn].name), room = tight ? 34 : 78;
  const head = call ? (tight ? call[1].split("(")[0] : call[1]) : "";
  let from = names.length - 1, used = head.length + (names.at(-1) ?? "").length + 6;
  while (from > 0 && used + names[from - 1].length + 3 <= room) used += names[--from].length + 3;
  from = Math.max(0, Math.min(from, depth));
  const shown = names.map((name, k) => ({ name, k })).slice(from);
  const parts = [head && h("span", {}, head), from > 0 && h("span", {}, "…"), ...shown.map(({ name, k }) =>
    button({ class: `fn ${k === names.length - 1 ? "top" : ""}`, "data-depth": k, "aria-current": k === depth ? "true" : null }, name))].filter(Boolean);
  return h("span", { class: "crumb mono" }, parts.flatMap((part, k) => (k ? [h("i", { "aria-hidden": "true" }, "›"), part] : [part])));
}

const TWIN = 256; // of blocks, words, runs: more is not read but searched

/** The step as text: complete without the picture; of two futures each, and in what they differ. */
export function twin(all, ui) {
  return h("details", { class: "twin" }, h("summary", {}, "This step as text"), ui.twin && all.map(([story, side]) => [
    all.length > 1 && h("h4", {}, SIDES[side]), twinOf(story, stateAt(story, ui.t))]),
    ui.twin && ui.differs && h("p", {}, contrastWords(ui.differs)));
}

function twinOf(story, state) {
  const { rows } = state, lost = unknown(state), used = range(rows.verdict.length).filter((i) => (rows.verdict.at(i) && !lost) || rows.blocks.at(i) >= 0);
  const [size, mirror] = rows.sizes.slice(0, 2);
  const sizes = size < 0 ? `The file is not open${mirror < 0 ? "" : `; its mirror says ${mirror}`}.` : mirror < 0 ? `i_size ${size}; no KHO inode.` : `i_size ${size}, mirror ${mirror}: they ${size === mirror ? "agree" : `differ by ${Math.abs(size - mirror)}`}.`;
  const bad = violated(state) || "No invariant is violated.";
  const waits = state.pending.length ? ` Pending until the call returns: ${state.pending.map((k) => story.doc.invariants[k][0].toLowerCase()).join(", ")}.` : "";
  const stack = state.stack.map(({ fn }) => story.doc.functions[fn].name).join(" › ");
  return [h("table", {}, h("caption", {}, `Step ${state.t} of ${story.last}. ${[state.cpu, state.say].filter(Boolean).join(": ")}`),
      h("thead", {}, h("tr", {}, ["Block", "Page cache", "Block list", "PFN bit", "Verdict"].map((s) => h("th", { scope: "col" }, s)))),
      h("tbody", {}, used.slice(0, TWIN).map((i) => twinRow(story, state, i)))), used.length > TWIN && h("p", {}, `And ${amount(used.length - TWIN)} blocks more.`),
    h("p", {}, `${lost ? "Block list and PFN bits are not found yet." : "Blocks not shown are empty in both."} ${sizes} ${bad}${waits}`),
    stack && h("p", {}, "Path: ", h("span", { class: "mono" }, stack), `, line ${state.stack.at(-1).line}.`),
    !lost && h("p", {}, "Words of the PFN bitmap: ", h("span", { class: "mono" }, bitmapWords(state)), "."),
    h("p", {}, "Frames: ", h("span", { class: "mono" }, frameRuns(state)), ".")];
}

function twinRow(story, state, i) {
  const { cache, blocks, bit, flags, verdict } = state.rows, c = cache.at(i), b = blocks.at(i), names = story.doc.machine.flags ?? {};
  const how = c >= 0 ? [pfnName(c), state.rows.role.at(c) !== FRESH ? "uptodate" : "not uptodate", has(flags.at(c), names.dirty) && "dirty"].filter(Boolean).join(", ") : c <= -2 ? `swap entry ${-c - 2}` : "–";
  const frame = b >= 0 ? b : c;
  return h("tr", {}, h("th", { scope: "row" }, String(i)), h("td", {}, how), h("td", {}, b >= 0 ? pfnName(b) : "–"),
    h("td", {}, frame >= 0 && bit.at(frame) ? "set" : "clear"), h("td", {}, VERDICT_WORDS[verdict.at(i)]));
}

function frameRuns(state) {
  const out = [], runs = state.rows.role.runs();
  for (const [first, end, r] of runs) {
    if (out.length === TWIN) { out.push(`and more from ${hex(first)} on`); break; }
    out.push(`${hex(first)}${end - first > 1 ? "–" + hex(end - 1) : ""} ${ROLE_WORDS[ROLE[r]]}`);
  }
  return out.join("; ");
}

const PANELS = { share: "Share this figure", help: "Keys and marks" };

/** The last row: what can be done with the figure as a whole. Its panels open upward, over the code, and push nothing. */
function foot(story, ui) {
  const opens = (name, words) => control(name, words, { class: "txt", "aria-expanded": String(ui.panel === name), "aria-haspopup": "dialog" });
  return h("div", { class: "foot" },
    control("pin", ui.pins.includes(ui.t) ? "Unpin step" : "Pin step", { class: "txt", "aria-pressed": String(ui.pins.includes(ui.t)) }), opens("share", "Share"), opens("help", "Keys and marks"),
    ui.panel && h("div", { class: `panel ${ui.panel}`, role: "dialog", "aria-label": PANELS[ui.panel], tabindex: -1 },
      h("header", {}, h("h4", {}, PANELS[ui.panel]), button({ class: "txt", "data-act": "clear", "aria-label": "Close" }, "Close")),
      ui.panel === "help" ? help(story) : share(story, ui)));
}

/** The steps that the share panel speaks of. */
function sharedSteps(ui) {
  const [a, b] = [...ui.range].sort((x, y) => x - y);
  if (ui.what === "range") return range(b - a + 1).map((k) => a + k);
  return ui.what === "pins" && ui.pins.length ? ui.pins : [ui.t];
}

function share(story, ui) {
  const option = (value, words) => h("option", { value, selected: ui.what === value ? "" : null }, words);
  const number = (k, name) => h("input", { type: "number", "data-range": k, "aria-label": name, min: 0, max: ui.last, value: ui.range[k] });
  const save = (kind, words) => button({ class: "txt boxed", "data-save": kind }, words);
  return h("div", { class: "sharing" },
    h("div", { class: "line" }, h("label", {}, "Take ", h("select", { "data-what": "" }, option("this", `step ${ui.t}`), option("range", "a range of steps"), ui.pins.length > 0 && option("pins", `pinned steps: ${ui.pins.join(", ")}`))),
      ui.what === "range" && [number(0, "First step of the range"), "to", number(1, "Last step of the range")]),
    h("div", { class: "line" }, "as ", save("svg", "SVG"), save("png", "PNG"), save("txt", "Text")),
    h("div", { class: "line" }, h("label", { class: "link" }, "Link ", h("input", { readonly: "", "data-link": "", value: ui.link })), button({ class: "txt boxed", "data-save": "link" }, "Copy")),
    h("p", { class: "quiet", role: "status" }, ui.told || (ui.link?.startsWith("#") ? `In a Markdown cell of this notebook: [step ${ui.t}](${ui.link})` : "")));
}

const MARKS = [
  ["free", { role: 0 }, "free"], ["freed", { role: 0, comb: 0xaa }, "freed by this kernel: four ticks, the bits of 0xAA, which freed frames read"],
  ["cached", { role: 6, label: "3" }, "in the page cache; the number is the block it holds"],
  ["fresh", { role: 7, label: "5", comb: 0xa5 }, "in the page cache, not uptodate: the ticks are the bits of 0xA5, which new frames read"],
  ["held", { role: 8, label: "7" }, "hatched: held for a block and not in the page cache, a promise"],
  ["stale", { role: 9, label: "5" }, "dashed and struck: a block names it, and it is not this file's"],
  ["FDT", { role: 3, label: "F" }, "F: the device tree that the next kernel is handed"], ["bitmap", { role: 4, label: "B" }, "B: the PFN bitmap"],
  ["inode", { role: 5, label: "I" }, "I: the KHO inode of a file, its size and its block list"],
  ["kernel", { role: 1 }, "the kernel's own"], ["other", { role: 10 }, "another owner's"], ["scratch", { role: 2 }, "scratch: where the next kernel boots"],
  ["bit", { role: 0, bit: true }, "a dark corner: the frame's PFN bit is set, the next kernel must leave it alone"],
];

/** Keys, marks and invariants, in words; the marks are drawn by what draws the figure. */
function help(story) {
  const mark = (q) => h("svg", { width: 24, height: 24, viewBox: "0 0 24 24", "aria-hidden": "true" }, frameMarks({ label: "", bit: false, comb: 0, ...q }, 0, 0, 24));
  const ring = (cls) => h("svg", { width: 24, height: 24, viewBox: "0 0 24 24", "aria-hidden": "true" }, rect("f-cached", 5, 5, 14, 14, 3), rect(cls, 2, 2, 20, 20, 5));
  const row = (picture, words) => h("li", {}, picture, h("span", {}, words));
  return h("div", { class: "helping" },
    h("table", {}, h("caption", {}, "Keys, while the figure has the focus"), h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Key"), h("th", { scope: "col" }, "What it does"))),
      h("tbody", {}, Object.values(CONTROLS).map(([name, keys]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, keys.replace("Shift+", "Shift "))), h("td", {}, name))))),
    h("p", { class: "quiet" }, "Tab goes from part to part. In memory and in the file, arrows go from cell to cell and Enter selects."),
    h("h4", {}, "Frames and blocks"), h("ul", { class: "marks" }, MARKS.map(([, q, words]) => row(mark(q), words)),
      row(ring("ring-now"), "changed in this step"), row(ring("ring-sel"), "selected; a line leads to a frame from the cell that names it")),
    story.doc.invariants.length > 0 && [h("h4", {}, "Invariants: a tick holds, a ring waits for the call to return, a cross is violated"),
      h("dl", { class: "statements" }, story.doc.invariants.map(([name, words]) => [h("dt", {}, name), h("dd", {}, words)]))]);
}

// A fork: two futures of one run. `here` is what happened, `there` what could have; up to `from` they are one.

const SIDES = { here: "Here, what happened", there: "There, what could have" };

/** The futures in view, as [story, side] pairs: one, or two beside each other. */
export function futures(story, show) {
  if (!story.other || show === "here") return [[story, "here"]];
  return show === "there" ? [[story.other, "there"]] : [[story, "here"], [story.other, "there"]];
}

const stateAt = (story, t) => story.states[Math.min(t, story.last)]; // a future that has ended stays as it ended
const endOf = (all) => Math.max(...all.map(([story]) => story.last));

/** Where each control leads with one or two futures in view: to what comes first on the way, and for the ends, last. */
function waysIn(all, t, selection) {
  const found = all.map(([story]) => ways(story, Math.min(t, story.last), selection));
  return Object.fromEntries(Object.keys(found[0]).map((name) => {
    const back = name.endsWith("Back"), farthest = name.startsWith("end"), pick = back !== farthest ? Math.max : Math.min;
    const steps = found.map((way) => way[name]).filter((k) => k != null && (back ? k < t : k > t));
    return [name, steps.length ? pick(...steps) : undefined];
  }));
}

const TOLD = 256; // differing cells that are marked and named

const differsAt = (story, t) => differing(stateAt(story, t).rows, stateAt(story.other, t).rows, story.doc.machine, TOLD);

function contrastWords({ frames, cache, blocks, size, mirror }) {
  const list = (words, set, name) => set.size > 0 && `${words}${set.size > 1 ? "s" : ""} ${ascending(set).map(name).join(", ")}`;
  const parts = [list("frame", frames, pfnName), list("page", cache, String), list("block", blocks, String), size && "i_size", mirror && "the size in the KHO inode"].filter(Boolean);
  return parts.length ? `The two futures differ in ${parts.join("; ")}.` : "The two futures are the same at this step.";
}

/** One sentence for the first difference of a fork. */
function firstDifference(story) {
  const { from, other } = story, [a, b] = [story, other].map((s) => (from > s.last ? null : s.states[from]));
  const inner = (words) => (/^[A-Z][a-z]+ /.test(words) ? words[0].toLowerCase() + words.slice(1) : words).replace(/\.$/, "");
  const say = (state) => (state ? `${a && b && a.cpu !== b.cpu ? `${state.cpu}: ` : ""}${inner(state.say)}` : "the run has ended");
  if (a && b && a.cpu === b.cpu && a.say === b.say) return `From step ${from} on the two futures differ, though both say: ${inner(a.say)}.`;
  return `From step ${from} on: here ${say(a)}; there ${say(b)}.`;
}

/** The sentence of a fork, and which of its futures are in view. */
function branch(story, ui) {
  const choice = (show, words) => button({ class: "txt", "data-future": show, "aria-pressed": String(ui.show === show) }, words);
  return h("div", { class: "branch" }, h("p", {}, firstDifference(story)),
    h("div", { class: "btns", role: "group", "aria-label": "Futures in view" }, choice("both", "Both"), choice("here", "Here"), choice("there", "There")));
}

/** One future of two: its sentence, figure, invariants, selection and source, below one another. */
function future(story, side, ui, L) {
  const state = { ...stateAt(story, ui.t), differs: ui.differs }, over = ui.t > story.last, cls = ["future", state.bad.length && "violated", state.soft && "soft"].filter(Boolean).join(" ");
  return h("div", { role: "group", class: cls, "data-side": side, "aria-label": SIDES[side] },
    h("h4", {}, `${SIDES[side]}${over ? `: ended at step ${story.last}` : ""}`),
    side === "there" && ui.t < ui.from ? h("div", { class: "say" }, h("p", { class: "quiet" }, h("span", {}, `As here, until step ${ui.from}.`))) : sentence(story, state, ui),
    h("div", { class: "figwrap" }, figure(story, state, L, { ...ui, focus: ui.side === side ? ui.focus : null })),
    named(lamps(story, state), side) ?? h("div", { class: "lamps" }), named(why(story, state, ui), side), ofSide(code(story, state, { ...ui, narrow: true }), side));
}

/** A part of one future, with a name of its own. */
const named = (node, side) => node && { ...node, attrs: { ...node.attrs, "aria-label": `${node.attrs["aria-label"]}, ${side}` } };
const ofSide = (node, side) => ({ ...node, kids: node.kids.map((kid) => named(kid, side)) });

/** What is printed in the figure's place. */
function paper(all, ui) {
  const steps = (story) => (ui.pins.length ? ui.pins.filter((t) => t <= story.last) : telling(story, ui.t));
  return h("div", { class: "paper" }, all.map(([story, side]) => [all.length > 1 && h("h4", {}, SIDES[side]), steps(story).length > 0 && strip(story, steps(story))]));
}

/** The whole stepper at one moment. `L` is the figure's layout; `L.outer`, with two figures beside each other, that of all. */
export function view(story, ui, L) {
  const all = futures(story, ui.show), [[lead]] = all, two = all.length > 1, outer = L.outer ?? L, state = stateAt(lead, ui.t);
  const differs = story.other && differsAt(story, ui.t);
  const shown = { ...ui, selection: ui.selection ?? follow(lead, state.t), narrow: L.narrow, L, last: endOf(all), from: story.from, differs };
  const pick = resolve(state, shown.selection), to = waysIn(all, ui.t, shown.selection);
  const alert = all.flatMap(([s]) => s.violations.filter((v) => v.first === ui.t)).map((v) => `Violated: ${v.name}. ${detailOf(v.words)}`).join(" ");
  const cls = ["kho", outer.narrow && "narrow", !outer.narrow && outer.W < 860 && "slim", L.tight && "tight", story.other && "forked", two && "two",
    !two && state.bad.length && "violated", !two && state.soft && "soft", ui.still && "still"].filter(Boolean).join(" ");
  return h("section", { class: cls, role: "region", "aria-label": `Stepper: ${story.doc.title}`, "data-figure": story.doc.id, "data-theme": ui.theme, "data-t": ui.t,
    ...QUIET, style: `width:${outer.W}px;--room:${outer.W}px` },
    h("div", { class: "tlwrap" }, timeline(story, state, outer, pick, ui)),
    transport(lead, ui, shown.last, shown.selection, to),
    story.other && branch(story, ui),
    two ? h("div", { class: "futures" }, all.map(([s, side]) => future(s, side, shown, L)), ranges(lead, state, ui, L, pick), key(lead, L))
      : [sentence(lead, state, ui), h("div", { class: "figwrap", style: `width:${L.wide}px` }, figure(lead, { ...state, differs }, L, shown), ranges(lead, state, ui, L, pick), key(lead, L), below(lead, state, ui)),
        h("div", { class: "rail" }, lamps(lead, state), why(lead, state, shown)), code(lead, state, shown)],
    twin(all, shown), foot(story, shown),
    ui.paper && paper(all, ui),
    h("div", { class: "hidden", role: "alert" }, alert));
}

// ----------------------------------------------------------------------------------------------------------- 6 leaves

// What leaves the figure: on paper, as a file, as text. All of it is made from the same views.

const MINI = { width: 144, P: 9, s: 6.5, S: 11, gutter: 68, gap: 18, row: 4 }; // a small picture of 16 columns, four in a row

/** The attributes of a picture with room around it. */
const sheet = (W, H) => ({ width: W + 2 * EDGE, height: H + 2 * EDGE, viewBox: `${-EDGE} ${-EDGE} ${W + 2 * EDGE} ${H + 2 * EDGE}` });
const EDGE = 12;

/** A picture within a picture. */
const nested = ({ attrs, kids }, x, y, { class: cls, width, height, viewBox } = attrs) => h("svg", { class: cls, x, y, width, height, viewBox }, kids);

/** The steps worth printing when nobody chose: the first, the first kexec, the first violation, the one in view. */
function telling(story, t) {
  const marks = [0, story.doc.kexecs[0], story.violations[0]?.first, t].filter((k) => k != null && k <= story.last);
  return ascending(marks);
}

/** A step without text, 144 wide: file, sizes, memory. A large machine is its own figure, made small. */
function miniature(story, state, x, y) {
  const { frames, file_pages, page_size } = story.doc.machine, { width, P, s, S } = MINI;
  const pick = state.bad.length ? follow(story, state.t) : null;
  if (frames > 256) {
    const big = figure(story, state, layout(620, story), { selection: pick, hover: null, focus: null, tab: {} });
    return nested(big, x, y, { ...big.attrs, class: "mini whole", width, height: miniHeight(story) });
  }
  const picked = resolve(state, pick), { block, frame } = picked, from = namer(state, picked), base = Math.max(0, Math.floor(block / 16) * 16), n = Math.min(16, file_pages - base);
  const X = (i) => (i - base) * P + (P - s) / 2, end = (bytes) => round(clamp(Math.max(0, bytes) / page_size - base, 0, n) * P);
  const [size, mirror] = [SIZE.i_size, SIZE.mirror].map((k) => state.rows.sizes.at(k)), xe = end(size < 0 ? mirror : size), xk = end(mirror < 0 ? size : mirror);
  const at = (m) => [(m % 16) * P + (P - s) / 2, 56 + Math.floor(m / 16) * P], [fx, fy] = at(Math.max(0, frame));
  return h("svg", { class: "mini", x, y, width, height: miniHeight(story), viewBox: `0 0 ${width} ${miniHeight(story)}` },
    path("base", `M0 ${8 + S}H${n * P}M0 ${10 + 2 * S}H${n * P}`),
    range(n).map((k) => miniColumn(state, base + k, X(base + k))),
    Math.max(size, mirror) >= 0 && path("rule", `M0 1v6M0 4H${xe}M0 35v6M0 38H${xk}`),
    Math.max(size, mirror) >= 0 && path(`eof ${xe === xk ? "" : "bad"}`, `M${xe} 1V20H${xk}V44`),
    range(frames).map((m) => frameMarks({ ...frameFacts(state, m, story.doc.machine), label: "", comb: 0 }, ...at(m), s)),
    from && block >= base && path("lead", from === "blocks" ? `M${X(block) + s / 2} 33V48H${fx - 1}V${fy}` : `M${X(block) - 1} ${8 + S}V48H${fx - 1}V${fy}`),
    frame >= 0 && block >= base && rect("ring-sel", fx - 1, fy - 1, s + 2, s + 2, 2));
}

const miniHeight = (story) => (story.doc.machine.frames > 256 ? 96 : 60 + Math.ceil(story.doc.machine.frames / 16) * MINI.P);

function miniColumn(state, i, x) {
  const { s, S } = MINI, c = state.rows.cache.at(i), b = state.rows.blocks.at(i), kind = slotKind(VERDICT[state.rows.verdict.at(i)]);
  return [c >= 0 && rect(state.rows.role.at(c) === FRESH ? "f-fresh" : "f-cached", x, 8, s, S - 1, 1), c <= -2 && rect("f-swap", x, 8, s, S - 1, 3),
    (b >= 0 || kind === "lost") && [rect(`f-${kind} slot`, x, 10 + S, s, S - 1, 1), kind === "held" && path("hatch", hatch(x, 10 + S, s, S - 1, 3, 0.8)),
      kind === "stale" && path("cross", `M${x + 1} ${11 + S}L${x + s - 1} ${8 + 2 * S}`)]];
}

/** Words of [text, class] pairs broken into lines of at most `room` pixels, at 11 px in the widest fallback font. */
export function lines(pairs, room) {
  const out = [[]];
  let used = 0;
  for (const [words, cls] of pairs) for (const word of words.split(" ").filter(Boolean)) {
    const w = (word.length + 1) * (cls ? 6.9 : 6.1);
    if (used && used + w > room) { out.push([]); used = 0; }
    used += w;
    out.at(-1).push([word, cls]);
  }
  return out;
}

const lineText = (words, x, y) => h("text", { class: "cap", x, y }, words.map(([word, cls], k) => h("tspan", { class: cls }, (k ? " " : "") + word)));

/** A step's caption: number, call, what was violated first here, the sentence. */
function caption(story, state) {
  const news = story.violations.filter((v) => v.first === state.t).map((v) => `Violated: ${v.name.toLowerCase()}.`).join(" ");
  return [[`${state.t} ${callName(state)}`, "strong"], [news, "under"], [spoken(story, state), ""]];
}

/** Chosen steps as one picture: small figures in rows of four, a thick line where a kexec lies between two. */
function strip(story, steps) {
  const { width, gutter, gap, row } = MINI, states = steps.map((t) => story.states[t]), tall = miniHeight(story);
  const texts = states.map((state) => lines(caption(story, state), width)), deep = Math.max(...texts.map((l) => l.length)) * 15;
  const pitch = tall + deep + 36, W = gutter + row * (width + gap), keyed = keyGrid(story, layout(560, story), Math.floor((W - gutter) / KEYED));
  const H = 26 + Math.ceil(steps.length / row) * pitch + 8 + keyed.height;
  const shown = `step${steps.length > 1 ? "s" : ""} ${steps.join(", ")}`, place = (k) => [gutter + (k % row) * (width + gap), 26 + Math.floor(k / row) * pitch];
  return h("svg", { class: "strip", ...sheet(W, H), role: "img", "aria-label": `${story.doc.title}: ${shown}` },
    h("title", {}, story.doc.title), h("desc", {}, states.map((state) => `Step ${state.t}: ${spoken(story, state)}`).join(" ")),
    rect("sheet", -EDGE, -EDGE, W + 2 * EDGE, H + 2 * EDGE), lineText([[story.doc.title, "strong"], [`${shown} of ${story.last}`, "quiet"]], gutter, 13),
    states.map((state, k) => {
      const [x, y] = place(k), crossed = k > 0 && story.doc.kexecs.some((e) => steps[k - 1] < e && e <= state.t);
      return [k % row === 0 && [["page cache", 17], ["block list", 30], ["memory", 56 + (tall - 56) / 2]].map(([words, dy]) => text("gut", gutter - 8, y + dy, words)),
        miniature(story, state, x, y), texts[k].map((words, n) => lineText(words, x, y + tall + 14 + n * 15)),
        crossed && [path("kx", `M${x - gap / 2} ${y}v${tall + deep}`), kexecTag(x - gap / 2, y + tall + deep)]];
    }),
    h("g", { transform: `translate(${gutter} ${H - keyed.height})` }, keyed.kids));
}

/** One step as one picture: timeline, sentence, figure, key; what is violated stands below the sentence. Futures beside each other begin at one height. */
function leaf(story, state, selection, all) {
  const L = layout(560, story), ui = { selection: selection ?? follow(story, state.t), hover: null, focus: null, tab: {}, pins: [] };
  const time = timeline({ ...story, other: null }, state, L, resolve(state, ui.selection), ui), drawn = figure(story, state, L, ui), G = L.G;
  const words = [...lines([[state.cpu, "now"], [spoken(story, state), "strong"]], 520),
    ...state.bad.flatMap((v) => lines([[`Violated: ${nameOf(v).toLowerCase()}.`, "bad"], [detailOf(v), ""]], 560))];
  const y = 44 + Math.max(...all.map(([s]) => timeLayout(L, { ...s, other: null }).height)), top = y + words.length * 18, keyed = keyGrid(story, L, Math.floor((568 - L.G) / KEYED)), H = top + +drawn.attrs.height + 10 + keyed.height;
  return h("svg", { class: "leaf", ...sheet(568, H), role: "img" },
    h("title", {}, `${story.doc.title}, step ${state.t} of ${story.last}`), h("desc", {}, [spoken(story, state), violated(state)].join(" ")),
    rect("sheet", -EDGE, -EDGE, 568 + 2 * EDGE, H + 2 * EDGE), lineText([[story.doc.title, "strong"], [`step ${state.t} of ${story.last}`, "quiet"]], G, 14),
    nested(time, 0, 24), words.map((line, k) => lineText(line, G, y + k * 18)), nested(drawn, 0, top),
    h("g", { transform: `translate(${G} ${H - keyed.height})` }, keyed.kids));
}

/** Pictures beside each other, or below one another, as one; each under the words that name it. */
export function together(story, trees, names, down) {
  const W = down ? Math.max(...trees.map((tree) => tree.attrs.width)) : trees.reduce((sum, tree) => sum + tree.attrs.width, 0);
  const H = 44 + (down ? trees.reduce((sum, tree) => sum + tree.attrs.height + 20, 0) : 20 + Math.max(...trees.map((tree) => tree.attrs.height)));
  let at = 0;
  return h("svg", { class: "leaf", ...sheet(W, H), role: "img" },
    h("title", {}, story.doc.title), h("desc", {}, [firstDifference(story), ...trees.flatMap((tree) => tree.kids[1].kids)].join(" ")), rect("sheet", -EDGE, -EDGE, W + 2 * EDGE, H + 2 * EDGE), lineText([[firstDifference(story), ""]], 12, 20),
    trees.map((tree, k) => {
      const [x, y] = down ? [0, 44 + at] : [at, 44];
      at += down ? tree.attrs.height + 20 : tree.attrs.width;
      return [lineText([[names[k], "strong"]], x + 12, y + 10), nested({ ...tree, kids: tree.kids.slice(2) }, x, y + 20)];
    }));
}

/** Steps as one picture: one step large, several as a strip; of two futures both. */
function pictureOf(story, all, steps, selection) {
  const one = steps.length === 1, differs = story.other && differsAt(story, steps[0]);
  const trees = all.map(([s]) => (one ? leaf(s, { ...stateAt(s, steps[0]), differs }, selection, all) : strip(s, steps.filter((t) => t <= s.last))));
  return trees.length > 1 ? together(story, trees, all.map(([, side]) => SIDES[side]), !one) : trees[0];
}

/** A view as plain text: a table in columns, everything else a line each. */
export function plain(node) {
  const words = (n) => (typeof n === "string" ? n : n.kids.map(words).join(""));
  if (typeof node === "string" || node.tag === "p" || node.tag === "h4") return words(node) + "\n";
  if (node.tag !== "table") return node.kids.filter((kid) => kid.tag !== "summary").map(plain).join("");
  const [title, ...parts] = node.kids, rows = parts.flatMap((part) => part.kids).map((tr) => tr.kids.map(words));
  const widths = rows[0].map((_, c) => Math.max(...rows.map((r) => r[c].length)));
  return [words(title), ...rows.map((r) => r.map((cell, c) => cell.padEnd(widths[c])).join("  ").trimEnd())].join("\n") + "\n";
}

/** Some steps as a transcript: a line a step, between them kexecs, calls that begin, and what is violated from here on. */
export function transcript(story, steps) {
  const out = [story.doc.title];
  for (const t of steps) {
    const state = story.states[t];
    if (state.kexec) out.push(`===== kexec: kernel ${state.kernel} =====`);
    out.push(...story.doc.calls.filter((c) => c[2] === t).map(([cpu, words]) => `${cpu}: ${words}`), `${String(t).padStart(4)}  ${spoken(story, state)}`,
      ...story.violations.filter((v) => v.first === t).map((v) => `      ! violated: ${v.words}`));
  }
  return out.join("\n") + "\n";
}

/** The step that a link names in this figure: a number, NaN for the figure itself, or null for another place. */
function linked(id, last, hash) {
  const [name, step] = hash.replace(/^#/, "").split("@");
  if (!id || name !== id) return null;
  return step && Number.isFinite(+step) ? clamp(Math.trunc(+step), 0, last) : NaN;
}

// What a picture keeps of the style sheet when it leaves: the rest inherits, or is geometry.
const KEPT = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "paint-order", "font-family", "font-size", "font-weight",
  "font-variant-numeric", "letter-spacing", "text-anchor", "text-decoration-line", "opacity"];

/** A picture as a file's text: drawn once under the figure's own styles, which are then written onto each element. */
function standalone(root, tree) {
  const svg = create(root.ownerDocument, tree, null), win = root.ownerDocument.defaultView;
  root.append(svg);
  const nodes = [svg, ...svg.querySelectorAll("*:not(title, desc)")], styles = new Map(nodes.map((node) => {
    const css = win.getComputedStyle(node);
    return [node, [css.display, ...KEPT.map((name) => css.getPropertyValue(name))]];
  })); // all of them first: what is written to a parent would be seen by its children
  const initial = { opacity: "1", "text-decoration-line": "none" }; // these two are not inherited
  for (const node of nodes) {
    const [display, ...own] = styles.get(node), above = styles.get(node.parentNode)?.slice(1) ?? [];
    for (const { name } of [...node.attributes]) if (/^(class|role|tabindex|data-|aria-)/.test(name)) node.removeAttribute(name);
    KEPT.forEach((name, k) => { if (own[k] !== (initial[name] ?? above[k])) node.setAttribute(name, own[k]); });
    if (display === "none") node.setAttribute("display", "none");
  }
  for (const node of svg.querySelectorAll("[display=none]")) node.remove();
  svg.remove();
  return new win.XMLSerializer().serializeToString(svg);
}

/** A picture's text as a PNG of twice its size. It goes through a data address, which works on a page read from a disk too. */
async function raster(win, svg, { width, height }) {
  const image = new win.Image(), canvas = win.document.createElement("canvas");
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  Object.assign(canvas, { width: 2 * width, height: 2 * height });
  canvas.getContext("2d").drawImage(image, 0, 0, 2 * width, 2 * height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function download(doc, blob, name) {
  const win = doc.defaultView, address = win.URL.createObjectURL(blob), a = doc.createElement("a");
  Object.assign(a, { href: address, download: name });
  doc.body.append(a); // Firefox wants it in the page
  a.click();
  a.remove();
  win.setTimeout(() => win.URL.revokeObjectURL(address), 10000);
}

// ------------------------------------------------------------------------------------------------------------ 7 mend

const SVG = "http://www.w3.org/2000/svg";

function create(doc, node, ns) {
  if (typeof node === "string") return doc.createTextNode(node);
  const space = node.tag === "svg" ? SVG : ns;
  const el = space ? doc.createElementNS(space, node.tag) : doc.createElement(node.tag);
  for (const [k, v] of Object.entries(node.attrs)) if (v != null && v !== false) el.setAttribute(k, v);
  for (const kid of node.kids) el.append(create(doc, kid, space));
  return el;
}

/** Make `el`, drawn from `before`, look like `after`; returns the element now in its place. */
export function mend(el, before, after) {
  if (before === after) return el;
  if (typeof after === "string" || typeof before === "string" || before.tag !== after.tag) {
    const fresh = create(el.ownerDocument, after, el.parentNode.namespaceURI === SVG ? SVG : null);
    el.replaceWith(fresh);
    return fresh;
  }
  for (const k of new Set([...Object.keys(before.attrs), ...Object.keys(after.attrs)])) {
    const v = after.attrs[k];
    if (v === before.attrs[k]) continue;
    if (v == null || v === false) el.removeAttribute(k);
    else el.setAttribute(k, v);
  }
  const kids = [...el.childNodes], ns = el.namespaceURI === SVG ? SVG : null;
  after.kids.forEach((kid, k) => (k < before.kids.length ? mend(kids[k], before.kids[k], kid) : el.append(create(el.ownerDocument, kid, ns))));
  for (let k = after.kids.length; k < before.kids.length; k++) kids[k].remove();
  return el;
}

// ---------------------------------------------------------------------------------------------------------- 8 render

/** The host's theme, from its four signals: JupyterLab, VS Code, the book's theme, the system. */
function themeOf(doc, dark) {
  const lab = doc.body?.dataset.jpThemeLight, code = doc.body?.dataset.vscodeThemeKind;
  if (lab) return lab === "false" ? "dark" : "light";
  if (code) return code.includes("dark") || code === "vscode-high-contrast" ? "dark" : "light";
  const book = doc.documentElement.dataset.theme || doc.body?.dataset.theme;
  return book === "dark" || book === "light" ? book : dark ? "dark" : "light"; // the book's "auto" asks the system
}

/** What a cell stands for, as `hit` says it. */
function spotOf(cell) {
  const [kind, n] = cell.dataset.cell.split(" ");
  return { kind, n: +n };
}

const sameSpot = (a, b) => a?.kind === b?.kind && a?.n === b?.n;

const PACE = 700, SLOW = 1400, SYNC = 250; // ms: one step of play, a step that matters, a rest before Python hears of it

/** Show what the model holds, and again whenever it holds another document. Returns what takes all of it away. */
function render({ model, el, signal }) {
  const show = () => {
    const words = refusal(model.get("document"));
    return words ? refuse(el, words) : open({ model, el });
  };
  let close = show();
  const again = () => { close(); close = show(); };
  model.on("change:document", again);
  const cleanup = () => { model.off("change:document", again); close(); };
  signal?.addEventListener?.("abort", cleanup);
  return cleanup;
}

/** A sentence in the figure's place. */
function refuse(el, words) {
  const doc = el.ownerDocument, theme = themeOf(doc, doc.defaultView.matchMedia?.("(prefers-color-scheme: dark)").matches);
  const node = create(doc, h("section", { class: "kho refused", role: "note", "data-theme": theme }, h("p", {}, words)), null);
  el.append(node);
  return () => node.remove();
}

function open({ model, el }) {
  const doc = el.ownerDocument, win = doc.defaultView, darkQuery = win.matchMedia?.("(prefers-color-scheme: dark)");
  const story = decode(model.get("document"), model.get("sources") ?? {});
  const opens = () => clamp(model.get("t") ?? story.doc.start ?? 0, 0, story.last);
  const ui = { t: opens(), selection: null, hover: null, focus: null, playing: false, still: false,
    twin: false, more: false, panel: null, paper: false, show: "both", side: null, pins: [], what: "this", range: [0, story.last], link: "", told: "", depth: null, theme: "light", tab: { frame: 0, cache: 0, block: 0 },
    shown: undefined, base: null, bits: false }; // frames in view; first block in view, null to follow the selection; PFN bits over dots and shares
  const all = () => futures(story, ui.show), lead = () => all()[0][0], end = () => endOf(all());
  /** The layout of a figure; two of them share the width of an outer one. */
  function measure(width = el.clientWidth || 736) {
    const outer = layout(width, story, ui.shown), two = all().length > 1 && !outer.narrow;
    return two ? { ...layout((outer.W - 20) / 2, story, ui.shown), outer } : outer;
  }
  let L = measure(), tree = null, root = null, timer = 0, sync = 0, dragging = null;
  let drawing = false, again = false;

  function draw() {
    if (drawing) { again = true; return; } // taking away what has the focus moves the focus, and onFocus draws
    drawing = true;
    try {
      do {
        again = false;
        const next = view(story, ui, L);
        if (root) root = mend(root, tree, next);
        else el.append((root = create(doc, next, null)));
        tree = next;
      } while (again);
    } finally { drawing = false; }
  }

  function go(t, { still = false } = {}) {
    const k = clamp(t, 0, end());
    ui.still = still;
    if (k !== ui.t) ui.depth = null;
    ui.t = k;
    draw();
    if (model.get("t") === k) return;
    model.set("t", k);
    win.clearTimeout(sync);
    sync = win.setTimeout(() => { sync = 0; model.save_changes(); }, SYNC);
  }

  function stop() {
    win.clearTimeout(timer);
    timer = 0;
    ui.playing = false;
    draw();
  }

  /** Advance once and plan the next; play ends at the last step and at the first step of a violation. */
  function tick() {
    go(ui.t + 1);
    const state = stateAt(lead(), ui.t);
    if (ui.t === end() || all().some(([s]) => s.violations.some((v) => v.first === ui.t))) return stop();
    timer = win.setTimeout(tick, state.kexec || state.warn ? SLOW : PACE);
  }

  function toggle() {
    if (ui.playing) return stop();
    if (ui.t === end()) go(0);
    ui.playing = true;
    draw();
    timer = win.setTimeout(tick, PACE);
  }

  const chosen = () => ui.selection ?? follow(lead(), Math.min(ui.t, lead().last));
  const selected = () => resolve(stateAt(lead(), ui.t), chosen());

  const flip = (name) => { ui[name] = !ui[name]; draw(); };
  const acts = {
    play: toggle, more: () => flip("more"), share: () => panel("share"), help: () => panel("help"),
    pin: () => { ui.pins = ui.pins.includes(ui.t) ? ui.pins.filter((t) => t !== ui.t) : ascending([...ui.pins, ui.t]); draw(); },
    clear: () => (ui.panel ? panel(null) : select(null)),
    zoomIn: () => zoomBy(-1), zoomOut: () => zoomBy(1), panBack: () => look(L.first - L.zoom), pan: () => look(L.last), bits: () => flip("bits"),
    blocksBack: () => L.bar && lookAtBlock(Math.max(0, blocksInView() - L.columns)), blocks: () => L.bar && lookAtBlock(blocksInView() + L.columns),
    showBlock: () => lookAtBlock(selected().block),
  };

  const { frames } = story.doc.machine, widths = zooms(frames), blocksInView = () => baseOf(L, ui, selected());

  /** Bring frame `n` into view, at this zoom or another. */
  function look(n, zoom = L.zoom) {
    ui.shown = shownRange(n, zoom, frames);
    L = measure();
    draw();
  }

  /** One zoom in or out; what is selected stays in view if it was. */
  function zoomBy(step) {
    const zoom = widths[widths.indexOf(L.zoom) + step], { frame } = selected();
    if (zoom) look(inView(L, frame) ? frame : L.first, zoom);
  }

  /** Move the window of blocks so that block `i` is in it. */
  function lookAtBlock(i) {
    ui.base = clamp(windowOf(L, i), 0, filePages(L, story).last - L.columns);
    draw();
  }

  /** Whether JupyterLab is around us. It keeps addresses to itself: a link to a step works within its notebook. */
  const inLab = () => doc.body.dataset.jpThemeLight != null;

  /** Open a panel and put the focus there, or close it and put the focus back on its button. */
  function panel(name) {
    const was = ui.panel;
    Object.assign(ui, { panel: name === was ? null : name, told: "", link: `${inLab() ? "" : win.location.href.split("#")[0]}#${story.doc.id}@${ui.t}` });
    draw();
    root.querySelector(ui.panel ? ".panel" : `.foot [data-act=${was}]`)?.focus();
  }

  const tell = (words) => { ui.told = words; draw(); };

  /** Give away what the share panel says, as a file or on the clipboard. */
  async function save(kind) {
    if (kind === "link") {
      const field = root.querySelector("[data-link]");
      field.focus();
      field.select();
      const copied = await win.navigator.clipboard?.writeText(field.value).then(() => true, () => false);
      return tell(copied || doc.execCommand("copy") ? "The link is copied." : "The link is selected: copy it from the field.");
    }
    const steps = sharedSteps(ui), one = steps.length === 1, name = `${story.doc.id}-${one ? steps[0] : `${steps[0]}-${steps.at(-1)}`}.${kind}`;
    if (kind === "txt") {
      const words = one ? plain(twin(all(), { t: steps[0], twin: true, differs: story.other && differsAt(story, steps[0]) })) : all().map(([s]) => transcript(s, steps)).join("\n");
      download(doc, new win.Blob([words], { type: "text/plain" }), name);
    } else {
      const tree = pictureOf(story, all(), steps, ui.selection), svg = standalone(root, tree);
      download(doc, kind === "svg" ? new win.Blob([svg], { type: "image/svg+xml" }) : await raster(win, svg, tree.attrs), name);
    }
    tell(`Saved ${name}.`);
  }

  /** Follow a link to this figure. A click is seen before any host can take it. */
  function visit(hash, home = doc.body) {
    const step = linked(story.doc.id, end(), hash);
    if (step == null || !home.contains(root)) return false;
    if (!Number.isNaN(step)) go(step, { still: true });
    if (root === [...home.querySelectorAll(".kho[data-figure]")].find((el) => el.dataset.figure === story.doc.id)) {
      root.scrollIntoView({ block: "nearest" });
      root.querySelector("svg.tl").focus({ preventScroll: true }); // whoever comes by a link goes on by keys
    }
    return true;
  }

  function onLink(event) {
    const link = event.target.closest?.("a[href]"), hash = link?.getAttribute("href");
    if (!hash?.startsWith("#") || !visit(hash, link.closest(".jp-NotebookPanel") ?? doc.body)) return; // a notebook's links are its own
    if (inLab()) event.preventDefault(); // JupyterLab would look for a heading of that name
  }

  const onHash = () => visit(win.location.hash);
  const onPaper = (paper) => { if (ui.paper !== paper) { ui.paper = paper; draw(); } };

  function act(name) {
    if (acts[name]) return acts[name]();
    const t = waysIn(all(), ui.t, chosen())[name];
    if (t != null) go(t);
  }

  function select(spot) {
    if (spot?.kind === "range") return look(spot.n, widths.findLast((zoom) => zoom <= Math.max(4096, spot.last - spot.n) && zoom < L.zoom));
    ui.selection = spot && (spot.kind === "frame" ? spot : { kind: "block", n: spot.n });
    ui.base = null;
    const { frame } = selected();
    if (spot && frame >= 0 && !inView(L, frame)) look(frame);
    else draw();
  }

  /** Keys inside a grid: arrows move the focus, Enter selects. Returns true if the key was used. */
  function gridKey(key, cell) {
    const { kind, n } = spotOf(cell), figure = cell.closest("svg");
    if (key === "Enter") { select({ kind, n }); return true; }
    let [to, k] = [kind, n + ({ ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0)];
    if (!key.startsWith("Arrow")) return false;
    if (kind === "frame") k += { ArrowUp: -L.perRow, ArrowDown: L.perRow }[key] ?? 0;
    else if (key === "ArrowUp" || key === "ArrowDown") to = key === "ArrowUp" ? "cache" : "block";
    if (k < 0 || k >= (kind === "frame" ? frames : L.bar ? filePages(L, story).last : L.columns)) return true;
    ui.tab = { ...ui.tab, [to]: k };
    ui.focus = { kind: to, n: k };
    if (kind === "frame" && !inView(L, k)) look(k);
    else if (kind !== "frame" && windowOf(L, k) !== blocksInView()) lookAtBlock(k);
    else draw();
    figure.querySelector(`[data-cell="${to} ${k}"]`)?.focus({ preventScroll: true });
    return true;
  }

  /** Keys on a bar: the window moves by its own size, by sixteen of it, to either end. Returns true if the key was used. */
  function barKey(key, [which]) {
    const [first, size, last] = which === "file" ? [blocksInView(), L.columns, filePages(L, story).last] : [L.first, L.zoom, frames];
    const to = { ArrowLeft: first - size, ArrowDown: first - size, ArrowRight: first + size, ArrowUp: first + size, PageUp: first - 16 * size, PageDown: first + 16 * size, Home: 0, End: last - 1 }[key];
    if (to != null) (which === "file" ? lookAtBlock : look)(clamp(to, 0, last - 1));
    return to != null;
  }

  /** Drag a bar's bracket to where the pointer is. */
  function drag(event, [which, first, last]) {
    const { left } = (event.target.closest("svg.fig") ?? root.querySelector("svg.fig")).getBoundingClientRect(), part = clamp((event.clientX - left - L.G) / (16 * L.P), 0, 1);
    ui.still = true;
    if (which === "file") lookAtBlock(Math.floor(part * (filePages(L, story).last - 1)));
    else look(+first + Math.floor(part * (last - first - 1)));
  }

  function onKey(event) {
    if ((event.altKey || event.ctrlKey || event.metaKey) && !event.getModifierState("AltGraph")) return; // some keyboards have brackets there
    if (event.target.matches?.("input, select") && event.key !== "Escape") return event.stopPropagation(); // it types
    const cell = event.target.closest?.("[data-cell]"), control = event.target.closest?.("button, a, summary");
    const own = control && (event.key === " " || event.key === "Enter"); // the control's own key
    const rail = event.target.closest?.("[data-bar]");
    if (!(cell && !event.shiftKey && gridKey(event.key, cell)) && !(rail && !event.shiftKey && barKey(event.key, rail.dataset.bar.split(" ")))) {
      const name = KEYS[keyName(event)];
      if (own || !name) return;
      act(name);
    }
    event.preventDefault();
    event.stopPropagation(); // notebooks listen for these keys too
  }

  function onClick(event) {
    const spot = event.target.closest?.("[data-act], [data-go], [data-depth], [data-save], [data-future], [data-zoom], [data-show], [data-bar]");
    if (spot?.dataset.act) act(spot.dataset.act);
    else if (spot?.dataset.go) { event.preventDefault(); go(+spot.dataset.go); }
    else if (spot?.dataset.depth) { ui.depth = +spot.dataset.depth; draw(); }
    else if (spot?.dataset.future) {
      ui.show = spot.dataset.future;
      L = measure();
      go(ui.t, { still: true });
    } else if (spot?.dataset.save) save(spot.dataset.save);
    else if (spot?.dataset.zoom) look(inView(L, selected().frame) ? selected().frame : L.first, +spot.dataset.zoom);
    else if (spot?.dataset.show) look(+spot.dataset.show);
    else if (spot?.dataset.bar) return; // the press has moved it
    else if (event.target.closest?.("svg.fig")) select(under(event));
  }

  /** The cell under the pointer, in the figure's own units. */
  function under(event) {
    const box = event.target.closest("svg.fig").getBoundingClientRect();
    return hit(L, story, event.clientX - box.left, event.clientY - box.top, blocksInView());
  }

  function scrub(event) {
    const box = root.querySelector("svg.tl").getBoundingClientRect();
    go(timeLayout(L.outer ?? L, story).at(event.clientX - box.left), { still: true });
  }

  function onPointer(event) {
    const held = event.target.closest?.("svg.tl, [data-bar]");
    if (event.type === "pointerdown" && held && event.button === 0) {
      dragging = held.dataset.bar?.split(" ") ?? [];
      held.setPointerCapture?.(event.pointerId);
    }
    if (dragging && (event.type === "pointerdown" || event.type === "pointermove")) dragging.length ? drag(event, dragging) : scrub(event);
    else if (event.type === "pointermove") {
      const spot = event.pointerType === "mouse" && event.target.closest?.("svg.fig") ? under(event) : null;
      if (!sameSpot(spot, ui.hover)) { ui.hover = spot; draw(); }
    } else if (event.type === "pointerleave") { if (ui.hover) { ui.hover = null; draw(); } }
    else if (event.type !== "pointerdown") dragging = null;
  }

  function onFocus(event) {
    const cell = event.type === "focusin" && event.target.closest?.("[data-cell]");
    const next = cell && cell.matches(":focus-visible") ? spotOf(cell) : null;
    if (sameSpot(next, ui.focus)) return;
    ui.focus = next;
    ui.side = cell ? cell.closest("[data-side]")?.dataset.side ?? null : null;
    draw();
  }

  function onInput({ target }) {
    if ("what" in target.dataset) ui.what = target.value;
    else if (target.dataset.range) ui.range = ui.range.map((t, k) => (k === +target.dataset.range ? clamp(Math.trunc(+target.value) || 0, 0, end()) : t));
    draw();
  }

  const onToggle = (event) => { if (event.target.matches?.("details.twin")) { ui.twin = event.target.open; draw(); } };
  const onModelStep = () => {
    if (model.get("t") === ui.t) return;
    if (sync) model.set("t", ui.t); // Python repeats an older step, but the reader has gone on
    else go(model.get("t"));
  };
  const onTheme = () => {
    const theme = themeOf(doc, darkQuery?.matches);
    if (theme !== ui.theme) { ui.theme = theme; draw(); }
  };

  ui.theme = themeOf(doc, darkQuery?.matches);
  draw();
  const listeners = [["keydown", onKey], ["click", onClick], ["input", onInput], ["focusin", onFocus], ["focusout", onFocus], ["pointerdown", onPointer],
    ["pointermove", onPointer], ["pointerup", onPointer], ["pointercancel", onPointer], ["pointerleave", onPointer]];
  for (const [name, fn] of listeners) el.addEventListener(name, fn);
  el.addEventListener("toggle", onToggle, true); // toggle does not bubble
  const paperQuery = win.matchMedia?.("print"), toPaper = () => onPaper(true), offPaper = () => onPaper(false), asPaper = () => onPaper(paperQuery.matches);
  const wide = [[win, "hashchange", onHash], [win, "beforeprint", toPaper], [win, "afterprint", offPaper], [doc, "click", onLink, true], ...(paperQuery ? [[paperQuery, "change", asPaper]] : [])];
  for (const [on, ...rest] of wide) on.addEventListener(...rest);
  onHash();
  model.on("change:t", onModelStep);
  const themes = new win.MutationObserver(onTheme), attributes = { attributes: true, attributeFilter: ["data-theme", "data-jp-theme-light", "data-vscode-theme-kind"] };
  themes.observe(doc.documentElement, attributes);
  themes.observe(doc.body, attributes);
  darkQuery?.addEventListener?.("change", onTheme);
  const sizes = win.ResizeObserver && new win.ResizeObserver(([entry]) => {
    const next = measure(entry.contentRect.width || 736);
    if (next.W === L.W && next.outer?.W === L.outer?.W) return;
    L = next;
    ui.still = true;
    draw();
  });
  sizes?.observe(el);

  function cleanup() {
    win.clearTimeout(timer);
    win.clearTimeout(sync);
    for (const [name, fn] of listeners) el.removeEventListener(name, fn);
    el.removeEventListener("toggle", onToggle, true);
    for (const [on, ...rest] of wide) on.removeEventListener(...rest);
    themes.disconnect();
    sizes?.disconnect();
    darkQuery?.removeEventListener?.("change", onTheme);
    model.off("change:t", onModelStep);
    root.remove();
  }
  return cleanup;
}

export default { render };
